"""Groups: looking at them, adding and removing them, and operating all their members."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kahi.config.values import parse_signal
from kahi.errors import BadArgument
from kahi_api.body import json_object
from kahi_api.context import context_of, flag
from kahi_api.endpoint import Access, Endpoint
from kahi_api.objects import outcome_object
from kahi_api.routes.processes import OPERATIONS, Operation


async def list_groups(request: Request) -> Response:
    """All active groups in name order."""
    groups = context_of(request).daemon.supervisor.groups
    return JSONResponse(
        [
            {
                "name": group.name,
                "priority": group.priority,
                "processes": [process.name for process in group.processes],
            }
            for group in groups.values()
        ]
    )


async def add_group(request: Request) -> Response:
    """Make a group of the configuration active."""
    name = (await json_object(request)).get("name")
    if not isinstance(name, str):
        raise BadArgument("name must be the name of a group")
    await context_of(request).daemon.supervisor.add_group(name)
    return JSONResponse({"name": name}, 201)


async def remove_group(request: Request) -> Response:
    """Make a group inactive; it must be down."""
    name: str = request.path_params["name"]
    supervisor = context_of(request).daemon.supervisor
    supervisor.refuse_during_shutdown()
    await supervisor.remove_group(name)
    return JSONResponse({"name": name})


def _on_group(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        supervisor = context_of(request).daemon.supervisor
        group = supervisor.group(request.path_params["name"])
        wait = flag(request, "wait", True)
        outcomes = await operation(supervisor, list(group.processes), wait, False)
        return JSONResponse([outcome_object(outcome) for outcome in outcomes], 200 if wait else 202)

    return handler


async def signal_group(request: Request) -> Response:
    """Send a signal to all members that run."""
    supervisor = context_of(request).daemon.supervisor
    group = supervisor.group(request.path_params["name"])
    number = signal_number((await json_object(request)).get("signal"))
    supervisor.refuse_during_shutdown()
    return JSONResponse([outcome_object(o) for o in supervisor.signal(list(group.processes), number)])


def signal_number(value: object) -> int:
    """The signal that a request names. Raises BadArgument."""
    try:
        return parse_signal(value)
    except ValueError as error:
        raise BadArgument(f"signal {error}") from None


_BASE = "/api/v1/groups"

ENDPOINTS = (
    Endpoint("GET", _BASE, Access.READ, list_groups, "All active groups"),
    Endpoint("POST", _BASE, Access.ADMIN, add_group, "Make a group of the configuration active"),
    Endpoint("DELETE", _BASE + "/{name}", Access.ADMIN, remove_group, "Make a group inactive"),
    *(
        Endpoint(
            "POST",
            f"{_BASE}/{{name}}/{word}",
            Access.OPERATE,
            _on_group(operation),
            f"{word.title()} all members",
        )
        for word, operation in OPERATIONS.items()
    ),
    Endpoint("POST", _BASE + "/{name}/signal", Access.OPERATE, signal_group, "Send a signal to all members"),
)
