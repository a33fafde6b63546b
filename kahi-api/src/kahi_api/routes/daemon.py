"""The daemon itself: version, shutdown."""

from __future__ import annotations

import os
import platform

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from kahi.build import build
from kahi.plugins import PluginContext
from kahi.version import __version__
from kahi_api.answers import JsonResponse
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint
from kahi_api.objects import StatusObject, VersionObject


async def version(request: Request) -> Response:
    """What runs here."""
    daemon = context_of(request).daemon
    return JsonResponse(
        {
            "version": __version__,
            **(await anyio.to_thread.run_sync(build))._asdict(),
            "pid": os.getpid(),
            "python": platform.python_version(),
            "identifier": daemon.supervisor.identifier,
            "fips": _fips(daemon),
            "plugins": [info.as_object() for info in daemon.plugins.list()],
        }
    )


def _fips(daemon: PluginContext) -> bool:
    told = daemon.plugins.version_details(daemon.config).get("fips", {})
    return told.get("mode") == "required"


async def shutdown(request: Request) -> Response:
    """Stop everything in order and end the daemon."""
    supervisor = context_of(request).daemon.supervisor
    supervisor.ending.request("asked for by the API")
    return JsonResponse({"status": "shutting_down"})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/version",
        Access.READ,
        version,
        "Version of the daemon and its plugins",
        answers={200: VersionObject},
    ),
    Endpoint(
        "POST",
        "/api/v1/shutdown",
        Access.ADMIN,
        shutdown,
        "Stop everything in order and end the daemon",
        answers={200: StatusObject},
    ),
)
