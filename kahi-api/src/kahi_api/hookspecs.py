"""Hooks that the API adds for other plugins; they are called like those of core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from kahi.hookspecs import PROJECT

if TYPE_CHECKING:
    from kahi.plugins import PluginContext
    from kahi_api.endpoint import Endpoint

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def kahi_api_routes(ctx: PluginContext) -> Sequence[Endpoint]:  # type: ignore[empty-body]
    """Give routes to be served beside the API's own, each with its access level.

    [Endpoint][kahi_api.endpoint.Endpoint] says what a route takes and answers: its query, its body
    and who may use it are checked before the handler is called, and all of it is described in
    ``/api/v1/openapi.json``.

    Called once each time the server starts, in the event loop. A route that exists already is
    refused with a log line that names the plugin. An exception is logged and counted; the routes of
    others are served all the same. Since 0.1.
    """
