"""One ordered operation on many processes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import BadArgument, NoSuchGroup, NoSuchProcess
from kahi.supervisor.selection import is_exact
from kahi_api.admission import body_of, query_of
from kahi_api.answers import JsonResponse
from kahi_api.audit import note_of, note_outcomes
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint
from kahi_api.objects import OutcomeObject, outcome_object
from kahi_api.operations import OPERATIONS
from kahi_api.requests import ActionBody, Wait


async def act(request: Request) -> Response:
    """One ordered operation on everything that the targets name."""
    supervisor = context_of(request).daemon.supervisor
    body = body_of(request, ActionBody)
    wait = query_of(request, Wait).wait
    note = note_of(request)
    note.action, note.on = body.action, body.targets
    processes = supervisor.select(body.targets)
    strict = all(is_exact(target) for target in body.targets)
    if body.action == "signal":
        if body.signal is None:
            raise BadArgument("the action signal needs a signal")
        outcomes = supervisor.signal(processes, body.signal, strict=strict)
    elif body.action == "clear":
        outcomes = await supervisor.clear_logs(processes)
    else:
        outcomes = await OPERATIONS[body.action](supervisor, processes, wait, strict)
    note_outcomes(request, outcomes)
    return JsonResponse([outcome_object(outcome) for outcome in outcomes], 200 if wait else 202)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/actions",
        Access.OPERATE,
        act,
        "One ordered operation on many processes",
        query=Wait,
        body=ActionBody,
        answers={200: list[OutcomeObject], 202: list[OutcomeObject]},
        errors=(NoSuchProcess, NoSuchGroup),
    ),
)
