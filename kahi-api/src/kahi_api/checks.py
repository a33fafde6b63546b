"""What can only be seen with the rest of the daemon at hand: password hash, certificate, peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kahi.config.config import Config
from kahi.errors import KahiError, Problem
from kahi.plugins import PluginManager
from kahi_api.settings import ServerSettings


def problems(config: Config, plugins: PluginManager) -> Sequence[Problem]:
    """Everything that is wrong with ``[server]``. May block on the disk."""
    settings: ServerSettings = config.sections["server"]
    return [Problem(config.path, 0, where, message) for where, message in _found(config, settings, plugins)]


def _found(config: Config, settings: ServerSettings, plugins: PluginManager) -> Iterator[tuple[str, str]]:
    password = settings.http.password.get_secret_value()
    if password:
        from kahi_api.hashers import hasher_for

        try:
            hasher_for(password, plugins.password_hashers(config))
        except ValueError as error:
            yield "[server.http] password", str(error)
    if settings.http.enabled and settings.http.tls_cert:
        from kahi_api.tls import UnusableCertificate, tls_context

        try:
            tls_context(settings.http, config, plugins)
        except UnusableCertificate as error:
            yield f"[server.http] {error.key}", error.reason
        except KahiError as error:
            yield "[server.http] tls_cert", str(error)
    from kahi_api.peers import UnknownPeer, admission_of_peers

    try:
        admission_of_peers(settings.unix)
    except UnknownPeer as error:
        yield f"[server.unix] {error.key}", error.reason
