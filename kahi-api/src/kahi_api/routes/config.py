"""The configuration: what is in force, and taking over what changed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kahi.config.resolved import resolved
from kahi.errors import ConfigError, NoSuchGroup
from kahi_api.admission import body_of
from kahi_api.answers import JsonResponse
from kahi_api.audit import note_of
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint
from kahi_api.objects import ReportObject, report_object
from kahi_api.requests import GroupsBody


async def show(request: Request) -> Response:
    """The resolved configuration, without secrets."""
    return JsonResponse(resolved(context_of(request).daemon.config))


async def reread(request: Request) -> Response:
    """What an update would do."""
    report = await context_of(request).daemon.supervisor.reread()
    return JsonResponse(report_object(report, "unchanged" if report.is_empty else "changed"))


async def update(request: Request) -> Response:
    """Take over what changed, or only what concerns some groups."""
    groups = body_of(request, GroupsBody).groups
    note = note_of(request)
    note.on = groups or []
    report = await context_of(request).daemon.supervisor.update(groups)
    note.result = str(report)
    return JsonResponse(report_object(report, "reloaded"))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/config",
        Access.READ,
        show,
        "The resolved configuration",
        answers={200: dict[str, Any]},
    ),
    Endpoint(
        "POST",
        "/api/v1/config/reread",
        Access.READ,
        reread,
        "What an update would do",
        answers={200: ReportObject},
        errors=(ConfigError,),
    ),
    *(
        Endpoint(
            "POST",
            f"/api/v1/config/{word}",
            Access.ADMIN,
            update,
            summary,
            body=GroupsBody,
            answers={200: ReportObject},
            errors=(ConfigError, NoSuchGroup),
        )
        for word, summary in (("update", "Take over what changed"), ("reload", "The same as update"))
    ),
)
