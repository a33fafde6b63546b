"""The plugin: binds the sockets early, imports the web stack late."""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from kahi.errors import KahiError, StartRefused
from kahi.hookspecs import ConfigSection, Service, hookimpl
from kahi.plugins import PluginContext
from kahi_api.location import default_socket
from kahi_api.settings import FEWEST_CONNECTIONS, HttpSettings, ServerSettings, UnixSettings

if TYPE_CHECKING:
    import socket
    import ssl

    from starlette.types import ASGIApp

    from kahi.config.config import Config
    from kahi.errors import Problem
    from kahi.hookspecs import PasswordHasher
    from kahi.plugins import PluginManager
    from kahi.sockets import UnixListener
    from kahi_api.authentication import Authenticator, Credentials
    from kahi_api.endpoint import Endpoint
    from kahi_api.server.entrance import Entrance

log = logging.getLogger(__name__)


class ApiPlugin:
    """REST, server-sent events and the control socket."""

    def __init__(self) -> None:
        self._unix: UnixListener | None = None
        self._tcp: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None
        self._entrances: list[Entrance] = []
        self._authenticator: Authenticator | None = None

    @hookimpl
    def kahi_addhooks(self) -> Sequence[object]:
        """Routes of other plugins."""
        from kahi_api import hookspecs

        return (hookspecs,)

    @hookimpl
    def kahi_config_sections(self) -> Sequence[ConfigSection]:
        """``[server]``."""
        return (ConfigSection("server", ServerSettings),)

    @hookimpl
    def kahi_password_hashers(self) -> Sequence[PasswordHasher]:
        """PBKDF2 and bcrypt."""
        from kahi_api.hashers import Bcrypt, Pbkdf2

        return (Pbkdf2(), Bcrypt())

    @hookimpl
    def kahi_validate_config(self, config: Config, plugins: PluginManager) -> Sequence[Problem]:
        """Whether the password hash, the certificate and the peers can be used."""
        from kahi_api.checks import problems

        return problems(config, plugins)

    @hookimpl
    def kahi_setup(self, ctx: PluginContext) -> None:
        """Bind the sockets, while the daemon may still have other rights."""
        settings = _settings(ctx)
        try:
            if settings.unix.file != "none":
                self._listen_on_unix_socket(ctx, settings.unix)
            if settings.http.enabled:
                self._listen_on_tcp(ctx, settings.http)
        except KahiError as error:
            # Without its control socket nobody could stop it, and perhaps another daemon runs.
            raise StartRefused(str(error)) from None
        if not self._entrances:
            return
        ctx.need_descriptors(settings.max_connections)
        if ctx.user:
            # The new user may not be allowed to read the libraries.
            _web_stack()

    def _listen_on_unix_socket(self, ctx: PluginContext, settings: UnixSettings) -> None:
        from kahi.sockets import listen_unix
        from kahi_api.peers import admission_of_peers
        from kahi_api.server.entrance import Entrance

        admits = admission_of_peers(settings)
        path = os.path.abspath(settings.file or default_socket(os.environ, os.geteuid()))
        self._unix = listen_unix(path, settings.mode, settings.chown or ctx.user)
        self._entrances.append(Entrance(self._unix.socket, f"unix://{path}", admits))
        ctx.supervisor.server_url = f"unix://{path}"

    def _listen_on_tcp(self, ctx: PluginContext, settings: HttpSettings) -> None:
        from kahi.sockets import listen_tcp
        from kahi_api.server.entrance import Entrance
        from kahi_api.tls import tls_context

        self._tls = tls_context(settings, ctx.config, ctx.plugins) if settings.tls_cert else None
        self._tcp = listen_tcp(*settings.address)
        scheme = "http" if self._tls is None else "https"
        host, port = self._tcp.getsockname()[:2]
        url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        self._entrances.append(Entrance(self._tcp, url, tls=self._tls))
        if self._tls is None and not ipaddress.ip_address(host).is_loopback:
            log.warning("the API is served on %s without TLS: passwords can be read on the way", url)

    @hookimpl
    def kahi_services(self, ctx: PluginContext) -> Sequence[Service]:
        """The server."""
        if not self._entrances:
            return ()
        return (Service("server", lambda: self._serve(ctx)),)

    @hookimpl
    def kahi_reload(self, ctx: PluginContext, old: Config, new: Config) -> None:
        """Take over user name and password, and a certificate that was renewed."""
        settings = _settings(ctx)
        if self._authenticator is not None:
            self._authenticator.use(_credentials(ctx))
        if self._tls is not None and settings.http.tls_cert:
            from kahi_api.tls import UnusableCertificate, load_certificate

            try:
                load_certificate(self._tls, settings.http)
            except UnusableCertificate as error:
                log.error("the certificate stays as it was: %s", error)
        if _fixed(old.sections["server"]) != _fixed(settings):
            log.warning("changes of [server] other than username and password need a restart")

    @asynccontextmanager
    async def _serve(self, ctx: PluginContext) -> AsyncGenerator[None]:
        make_app, serving = _web_stack()
        from kahi_api.authentication import Authenticator
        from kahi_api.context import ApiContext
        from kahi_api.streams import Streams

        settings = _settings(ctx)
        self._authenticator = Authenticator(ctx.plugins, _credentials(ctx))
        context = ApiContext(ctx, self._authenticator, Streams(settings.max_streams))
        app = make_app(context, self._endpoints(ctx), settings.http.allowed_hosts)
        connections = min(settings.max_connections, max(ctx.descriptors, FEWEST_CONNECTIONS))
        try:
            async with serving(app, self._entrances, context.streams, connections):
                log.info("the API is served on %s", ", ".join(each.url for each in self._entrances))
                yield
        finally:
            if ctx.supervisor.shutting_down:
                self._close()

    def _close(self) -> None:
        if self._unix is not None:
            self._unix.close()
        if self._tcp is not None:
            self._tcp.close()

    def _endpoints(self, ctx: PluginContext) -> list[Endpoint]:
        """The API's own routes, and those of other plugins that do not stand in their way."""
        from kahi_api.routes import ENDPOINTS

        found = list(ENDPOINTS)
        taken = {(endpoint.method, endpoint.path) for endpoint in found}
        for name, endpoints in ctx.plugins.call("kahi_api_routes", ctx=ctx):
            for endpoint in endpoints:
                key = (endpoint.method, endpoint.path)
                if key in taken:
                    log.error("plugin %s: %s %s is served already", name, *key)
                    continue
                taken.add(key)
                found.append(endpoint)
        return found


def _settings(ctx: PluginContext) -> ServerSettings:
    return ctx.config.sections["server"]


def _credentials(ctx: PluginContext) -> Credentials | None:
    from kahi_api.authentication import Credentials

    return Credentials.of(_settings(ctx).http, ctx.plugins.password_hashers(ctx.config))


def _fixed(settings: ServerSettings) -> ServerSettings:
    """What can not be taken over while the server runs."""
    live = {"username": "", "password": SecretStr("")}
    return settings.model_copy(update={"http": settings.http.model_copy(update=live)})


def _web_stack() -> tuple[Callable[..., ASGIApp], Callable[..., AbstractAsyncContextManager[None]]]:
    """Import what serving takes: a third of the daemon's start, so it comes last."""
    from kahi_api.app import make_app
    from kahi_api.server.serving import serving

    return make_app, serving


plugin = ApiPlugin()
