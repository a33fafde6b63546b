"""Hooks that the API adds for other plugins; they are called like those of core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kahi.hookspecs import hookspec

if TYPE_CHECKING:
    from starlette.requests import Request

    from kahi.plugins import PluginContext
    from kahi_api.endpoint import Endpoint
    from kahi_api.identity import Identity


@hookspec
def kahi_api_routes(ctx: PluginContext) -> Sequence[Endpoint]:  # type: ignore[empty-body]
    """Give routes to be served beside the API's own, each with its access level.

    [Endpoint][kahi_api.endpoint.Endpoint] says what a route takes and answers: its query, its body
    and who may use it are checked before the handler is called, and all of it is described in
    ``/api/v1/openapi.json``. A route that exists already is refused with a log line that names the
    plugin.

    Called: once each time the server starts, in the event loop.
    Exception: logged and counted; the routes of others are served all the same.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_api_routes(ctx):
            return [Endpoint("GET", "/hello", Access.READ, hello, "Say hello")]
    """


@hookspec
async def kahi_authenticate(request: Request) -> Identity | None:  # type: ignore[empty-body]
    """Tell who makes a request over TCP, and what they may do.

    The first plugin that knows decides; with None the next is asked, and the user name and password
    of the configuration come last. A request that needs no access level, and one over the Unix
    socket, is not asked about.

    Called: for each request over TCP to a route that is not public, in the event loop.
    Exception: logged and counted; the request is refused with 401, and nobody else is asked.
    Since: 0.1

    Example:
        @hookimpl
        async def kahi_authenticate(request):
            if request.headers.get("authorization") == f"Bearer {token}":
                return Identity("monitoring", Access.READ, peer_of(request))
            return None
    """
