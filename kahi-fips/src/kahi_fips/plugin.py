"""The plugin: everything that FIPS mode changes, done through hooks."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kahi.errors import Problem
from kahi.hookspecs import ConfigSection, hookimpl
from kahi_fips.mode import is_required
from kahi_fips.settings import FipsSettings

if TYPE_CHECKING:
    from kahi.config.config import Config
    from kahi.hookspecs import PasswordHasher

CIPHERS: Final = "ECDHE+AESGCM"
CURVE: Final = "prime256v1"
"""OpenSSL 3.0's provider lets X25519 pass, which is not approved; this leaves P-256 alone."""


class FipsPlugin:
    """FIPS mode, where it is demanded; nothing otherwise.

    Plugins are called in the order of their names, so its hashers come after those of the API.
    """

    @hookimpl
    def kahi_config_sections(self) -> Sequence[ConfigSection]:
        """``[supervisor] fips``."""
        return (ConfigSection("fips", FipsSettings, in_supervisor=True),)

    @hookimpl
    def kahi_validate_config(self, config: Config) -> Sequence[Problem]:
        """Refuse to start, or to reload, without the provider."""
        if not is_required(config):
            return ()
        from kahi_fips.provider import NoFipsProvider, require_provider

        try:
            require_provider()
        except NoFipsProvider as error:
            return (Problem(config.path, 0, "[supervisor] fips", str(error)),)
        return ()

    @hookimpl
    def kahi_password_hashers(self, config: Config | None) -> Sequence[PasswordHasher]:
        """PBKDF2 through OpenSSL in place of bcrypt."""
        if not is_required(config):
            return ()
        from kahi_fips.hashers import FipsPbkdf2, NoBcrypt

        return (NoBcrypt(), FipsPbkdf2())

    @hookimpl
    def kahi_tls_policy(self, context: ssl.SSLContext, config: Config) -> None:
        """TLS 1.2 and 1.3 with AES-GCM over P-256."""
        if is_required(config):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(CIPHERS)
            context.set_ecdh_curve(CURVE)

    @hookimpl
    def kahi_version(self, config: Config | None) -> Mapping[str, object]:
        """Mode, and the provider's name and version."""
        if not is_required(config):
            return {"fips": {"mode": "off"}}
        from kahi_fips.provider import require_provider

        provider = require_provider()
        return {"fips": {"mode": "required", "provider": provider.name, "version": provider.version}}


plugin = FipsPlugin()
