"""Groups: looking at them, adding and removing them, and operating all their members."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import AlreadyAdded, NoSuchGroup, StillRunning
from kahi_api.admission import body_of, query_of
from kahi_api.answers import JsonResponse
from kahi_api.audit import note_of, note_outcomes
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint, Handler
from kahi_api.objects import GroupName, GroupObject, OutcomeObject, group_object, outcome_object
from kahi_api.operations import OPERATIONS, Operation
from kahi_api.requests import GroupBody, SignalBody, Wait, signal_name


async def list_groups(request: Request) -> Response:
    """All active groups in name order."""
    groups = context_of(request).daemon.supervisor.groups
    return JsonResponse([group_object(group) for group in groups.values()])


async def add_group(request: Request) -> Response:
    """Make a group of the configuration active."""
    name = body_of(request, GroupBody).name
    note_of(request).on = [name]
    await context_of(request).daemon.supervisor.add_group(name)
    return JsonResponse({"name": name}, 201)


async def remove_group(request: Request) -> Response:
    """Make a group inactive; it must be down."""
    name: str = request.path_params["name"]
    await context_of(request).daemon.supervisor.remove_group(name)
    return JsonResponse({"name": name})


def _on_group(operation: Operation) -> Handler:
    async def handler(request: Request) -> Response:
        supervisor = context_of(request).daemon.supervisor
        group = supervisor.group(request.path_params["name"])
        wait = query_of(request, Wait).wait
        outcomes = await operation(supervisor, list(group.processes), wait, False)
        note_outcomes(request, outcomes)
        return JsonResponse([outcome_object(outcome) for outcome in outcomes], 200 if wait else 202)

    return handler


async def signal_group(request: Request) -> Response:
    """Send a signal to all members that run."""
    supervisor = context_of(request).daemon.supervisor
    group = supervisor.group(request.path_params["name"])
    number = body_of(request, SignalBody).signal
    note_of(request).action = signal_name(number)
    outcomes = supervisor.signal(list(group.processes), number)
    return JsonResponse([outcome_object(outcome) for outcome in outcomes])


_BASE = "/api/v1/groups"
_NAME = {"name": "Name of the group."}

ENDPOINTS = (
    Endpoint("GET", _BASE, Access.READ, list_groups, "All active groups", answers={200: list[GroupObject]}),
    Endpoint(
        "POST",
        _BASE,
        Access.ADMIN,
        add_group,
        "Make a group of the configuration active",
        body=GroupBody,
        answers={201: GroupName},
        errors=(NoSuchGroup, AlreadyAdded),
    ),
    Endpoint(
        "DELETE",
        _BASE + "/{name}",
        Access.ADMIN,
        remove_group,
        "Make a group inactive that is down",
        answers={200: GroupName},
        errors=(NoSuchGroup, StillRunning),
        parameters=_NAME,
    ),
    *(
        Endpoint(
            "POST",
            f"{_BASE}/{{name}}/{word}",
            Access.OPERATE,
            _on_group(operation),
            f"{word.title()} all members",
            query=Wait,
            answers={200: list[OutcomeObject], 202: list[OutcomeObject]},
            errors=(NoSuchGroup,),
            parameters=_NAME,
        )
        for word, operation in OPERATIONS.items()
    ),
    Endpoint(
        "POST",
        _BASE + "/{name}/signal",
        Access.OPERATE,
        signal_group,
        "Send a signal to all members that run",
        body=SignalBody,
        answers={200: list[OutcomeObject]},
        errors=(NoSuchGroup,),
        parameters=_NAME,
    ),
)
