"""The plugin: binds the sockets early, imports the web stack late."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from kahi.hookspecs import ConfigSection, Service, hookimpl
from kahi.plugins import PluginContext
from kahi_api.location import default_socket
from kahi_api.settings import ServerSettings, UnixSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from kahi.sockets import UnixListener
    from kahi_api.endpoint import Endpoint
    from kahi_api.server.entrance import Entrance

log = logging.getLogger(__name__)


class ApiPlugin:
    """REST, server-sent events and the control socket."""

    def __init__(self) -> None:
        self._unix: UnixListener | None = None
        self._entrances: list[Entrance] = []

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
    def kahi_setup(self, ctx: PluginContext) -> None:
        """Bind the control socket, while the daemon may still have other rights."""

        settings = _settings(ctx)
        if settings.unix.file != "none":
            self._listen_on_unix_socket(ctx, settings.unix)
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
        self._entrances.append(Entrance(self._unix.socket, admits))
        ctx.supervisor.server_url = f"unix://{path}"

    @hookimpl
    def kahi_services(self, ctx: PluginContext) -> Sequence[Service]:
        """The server."""
        if not self._entrances:
            return ()
        return (Service("server", lambda: self._serve(ctx)),)

    @asynccontextmanager
    async def _serve(self, ctx: PluginContext) -> AsyncGenerator[None]:
        make_app, serving = _web_stack()
        from kahi_api.context import ApiContext
        from kahi_api.streams import Streams

        settings = _settings(ctx)
        context = ApiContext(ctx, streams=Streams(settings.max_streams))
        app = make_app(context, self._endpoints(ctx), settings.http.allowed_hosts)
        try:
            async with serving(app, self._entrances, context.streams, settings.max_connections):
                log.info("the API is served on %s", ctx.supervisor.server_url)
                yield
        finally:
            if ctx.supervisor.shutting_down and self._unix is not None:
                self._unix.close()
                self._unix = None

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


def _web_stack() -> tuple[Callable[..., ASGIApp], Callable[..., AbstractAsyncContextManager[None]]]:
    """Import what serving takes: a third of the daemon's start, so it comes last."""
    from kahi_api.app import make_app
    from kahi_api.server.serving import serving

    return make_app, serving


plugin = ApiPlugin()
