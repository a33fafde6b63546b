"""TLS: what is accepted, and the certificate that can be renewed without a restart."""

from __future__ import annotations

import ssl
from typing import Final

from kahi.config.config import Config
from kahi.errors import KahiError
from kahi.plugins import PluginManager
from kahi_api.settings import HttpSettings

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Suites of TLS 1.2: forward secrecy and authenticated encryption only. Those of 1.3 all are."""


class UnusableCertificate(KahiError):
    """A certificate or key that can not be used; ``key`` is the key of the configuration."""

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"[server.http] {key}: {reason}")


def tls_context(settings: HttpSettings, config: Config, plugins: PluginManager) -> ssl.SSLContext:
    """The context of the server; reads the files, so it may block.

    Raises:
        UnusableCertificate: why the certificate or its key can not be used.
        HookFailed: a plugin could not apply its policy.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    plugins.narrow_tls(context, config)
    load_certificate(context, settings)
    return context


def load_certificate(context: ssl.SSLContext, settings: HttpSettings) -> None:
    """Have new connections use what the files hold now.

    Raises:
        UnusableCertificate: why they can not be used.
    """
    for key, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise UnusableCertificate(key, f"cannot read {path}: {error.strerror}") from None
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except _Encrypted:
        raise UnusableCertificate("tls_key", f"{settings.tls_key} is encrypted") from None
    except ssl.SSLError as error:
        reason = error.reason or "not PEM"
        if reason == "KEY_VALUES_MISMATCH":
            raise UnusableCertificate("tls_key", "is not the key of tls_cert") from None
        text = (
            f"{settings.tls_cert} with {settings.tls_key} cannot be used: {reason.replace('_', ' ').lower()}"
        )
        raise UnusableCertificate("tls_cert", text) from None


class _Encrypted(Exception):
    """OpenSSL asks for a password, which nobody can give to a daemon."""


def _no_password() -> str:
    raise _Encrypted
