"""Probes: for whatever looks after the daemon itself. Everybody may ask them."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import BadArgument, NoSuchProcess
from kahi_api.admission import query_of
from kahi_api.answers import JsonResponse
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint
from kahi_api.objects import ReadyObject, StatusObject
from kahi_api.probes import readiness_of
from kahi_api.requests import Parameters


class ReadyQuery(Parameters):
    """What has to be ready."""

    process: str = Field(
        default="", description="Names with commas between them; without, all that start by themselves."
    )


async def healthz(request: Request) -> Response:
    """Whether the daemon works."""
    if context_of(request).daemon.supervisor.shutting_down:
        return JsonResponse({"status": "shutting_down"}, 503)
    return JsonResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Whether everything is up that should be."""
    supervisor = context_of(request).daemon.supervisor
    names = [name for name in query_of(request, ReadyQuery).process.split(",") if name]
    try:
        asked = [supervisor.process(name) for name in names]
    except NoSuchProcess as error:
        raise BadArgument(str(error)) from None
    if not names:
        asked = [process for process in supervisor.processes.values() if process.definition.autostart]
    found = readiness_of(asked)
    if found.ready and not supervisor.shutting_down:
        return JsonResponse({"status": "ready"})
    return JsonResponse(
        {"status": "not_ready", "pending": list(found.pending), "failing": list(found.failing)}, 503
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/healthz",
        Access.PUBLIC,
        healthz,
        "Whether the daemon works",
        answers={200: StatusObject, 503: StatusObject},
    ),
    Endpoint(
        "GET",
        "/readyz",
        Access.PUBLIC,
        readyz,
        "Whether everything is up that should be",
        query=ReadyQuery,
        answers={200: StatusObject, 503: ReadyObject},
    ),
)
