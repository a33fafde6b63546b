"""Processes: looking at them, and starting, stopping and restarting them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kahi.config.toml import is_list
from kahi.errors import BadArgument
from kahi.process import Process
from kahi.supervisor import Outcome, Supervisor
from kahi.supervisor.selection import is_exact
from kahi_api.body import json_object
from kahi_api.context import context_of, flag
from kahi_api.endpoint import Access, Endpoint
from kahi_api.objects import outcome_object, process_object

Operation = Callable[[Supervisor, Sequence[Process], bool, bool], Awaitable[list[Outcome]]]


async def list_processes(request: Request) -> Response:
    """All processes in name order, or those of a group or in a state."""
    supervisor = context_of(request).daemon.supervisor
    group = request.query_params.get("group")
    state = request.query_params.get("state", "").upper()
    return JSONResponse(
        [
            process_object(process)
            for process in supervisor.processes.values()
            if (group is None or process.group == group) and (not state or process.state.name == state)
        ]
    )


async def one_process(request: Request) -> Response:
    """One process."""
    supervisor = context_of(request).daemon.supervisor
    return JSONResponse(process_object(supervisor.process(request.path_params["name"])))


async def _start(s: Supervisor, processes: Sequence[Process], wait: bool, strict: bool) -> list[Outcome]:
    return await s.start(processes, wait=wait, strict=strict)


async def _stop(s: Supervisor, processes: Sequence[Process], wait: bool, strict: bool) -> list[Outcome]:
    s.refuse_during_shutdown()
    return await s.stop(processes, wait=wait, strict=strict)


async def _restart(s: Supervisor, processes: Sequence[Process], wait: bool, strict: bool) -> list[Outcome]:
    return await s.restart(processes, wait=wait)


OPERATIONS: dict[str, Operation] = {"start": _start, "stop": _stop, "restart": _restart}


def _on_one(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        supervisor = context_of(request).daemon.supervisor
        process = supervisor.process(request.path_params["name"])
        wait = flag(request, "wait", True)
        (outcome,) = await operation(supervisor, [process], wait, True)
        if outcome.error is not None:
            raise outcome.error
        return JSONResponse(process_object(process), 200 if wait else 202)

    return handler


async def act(request: Request) -> Response:
    """One ordered operation on everything that the targets name."""
    supervisor = context_of(request).daemon.supervisor
    body = await json_object(request)
    action, targets = body.get("action"), body.get("targets")
    if action not in OPERATIONS:
        raise BadArgument(f"action must be one of {', '.join(OPERATIONS)}")
    if not is_list(targets) or not all(isinstance(target, str) for target in targets):
        raise BadArgument("targets must be a list of names")
    names: list[str] = targets
    processes = supervisor.select(names)
    wait = flag(request, "wait", True)
    outcomes = await OPERATIONS[action](supervisor, processes, wait, _is_one_name(names))
    return JSONResponse([outcome_object(outcome) for outcome in outcomes])


def _is_one_name(targets: Sequence[str]) -> bool:
    return all(is_exact(target) for target in targets)


_BASE = "/api/v1/processes"

ENDPOINTS = (
    Endpoint("GET", _BASE, Access.READ, list_processes, "All processes, in name order"),
    Endpoint("GET", _BASE + "/{name}", Access.READ, one_process, "One process"),
    *(
        Endpoint(
            "POST",
            f"{_BASE}/{{name}}/{word}",
            Access.OPERATE,
            _on_one(operation),
            f"{word.title()} one process",
        )
        for word, operation in OPERATIONS.items()
    ),
    Endpoint("POST", "/api/v1/actions", Access.OPERATE, act, "One ordered operation on many processes"),
)
