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
from kahi_api.settings import ServerSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from kahi.sockets import UnixListener
    from kahi_api.context import ApiContext
    from kahi_api.endpoint import Endpoint

log = logging.getLogger(__name__)


class ApiPlugin:
    """REST, server-sent events and the control socket."""

    def __init__(self) -> None:
        self._listeners: list[UnixListener] = []

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
        from kahi.sockets import listen_unix

        settings: ServerSettings = ctx.config.sections["server"]
        if settings.unix.file == "none":
            return
        path = os.path.abspath(settings.unix.file or default_socket(os.environ, os.geteuid()))
        mode = 0o700 if settings.unix.chmod is None else settings.unix.chmod
        self._listeners.append(listen_unix(path, mode, settings.unix.chown or ctx.user))
        ctx.supervisor.server_url = f"unix://{path}"
        if ctx.user:
            # The new user may not be allowed to read the libraries.
            _web_stack()

    @hookimpl
    def kahi_services(self, ctx: PluginContext) -> Sequence[Service]:
        """The server."""
        if not self._listeners:
            return ()
        return (Service("server", lambda: self._serve(ctx)),)

    @asynccontextmanager
    async def _serve(self, ctx: PluginContext) -> AsyncGenerator[None]:
        make_app, serving = _web_stack()
        from kahi_api.context import ApiContext

        context = ApiContext(ctx)
        sockets = [listener.socket for listener in self._listeners]
        try:
            app = make_app(context, self._endpoints(ctx))
            async with serving(app, sockets, context.closing):
                log.info("the API is served on %s", ctx.supervisor.server_url)
                yield
        finally:
            if ctx.supervisor.shutting_down:
                for listener in self._listeners:
                    listener.close()
                self._listeners.clear()

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


def _web_stack() -> tuple[
    Callable[[ApiContext, Sequence[Endpoint]], Starlette], Callable[..., AbstractAsyncContextManager[None]]
]:
    """Import what serving takes: a third of the daemon's start, so it comes last."""
    from kahi_api.app import make_app
    from kahi_api.server.serving import serving

    return make_app, serving


plugin = ApiPlugin()
