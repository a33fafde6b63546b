"""The configuration: what is in force, and taking over what changed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kahi.config.resolved import resolved
from kahi.config.toml import is_list
from kahi.errors import BadArgument
from kahi.supervisor import ReloadReport
from kahi_api.body import json_object
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint


async def show(request: Request) -> Response:
    """The resolved configuration, without secrets."""
    return JSONResponse(resolved(context_of(request).daemon.config))


async def reread(request: Request) -> Response:
    """What an update would do."""
    report = await context_of(request).daemon.supervisor.reread()
    return JSONResponse(report_object(report, "unchanged" if report.is_empty else "changed"))


async def update(request: Request) -> Response:
    """Take over what changed, or only what concerns some groups."""
    groups = (await json_object(request)).get("groups")
    names: list[str] | None = None
    if groups is not None:
        if not is_list(groups) or not all(isinstance(name, str) for name in groups):
            raise BadArgument("groups must be a list of names")
        names = groups
    report = await context_of(request).daemon.supervisor.update(names)
    return JSONResponse(report_object(report, "reloaded"))


def report_object(report: ReloadReport, status: str) -> dict[str, Any]:
    """A report on a reload."""
    return {
        "status": status,
        "added": list(report.added),
        "changed": list(report.changed),
        "removed": list(report.removed),
        "warnings": [str(warning) for warning in report.warnings],
        "restarted": {name: list(keys) for name, keys in report.restarted.items()},
    }


ENDPOINTS = (
    Endpoint("GET", "/api/v1/config", Access.READ, show, "The resolved configuration"),
    Endpoint("POST", "/api/v1/config/reread", Access.ADMIN, reread, "What an update would do"),
    Endpoint("POST", "/api/v1/config/update", Access.ADMIN, update, "Take over what changed"),
    Endpoint("POST", "/api/v1/config/reload", Access.ADMIN, update, "The same as update"),
)
