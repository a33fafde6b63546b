"""Processes: looking at them, and starting, stopping, restarting and signalling one."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import AbnormalTermination, NoSuchProcess, NotRunning, ProcessError, StartFailed
from kahi.process import Process
from kahi_api.admission import body_of, query_of
from kahi_api.answers import EncodedJsonResponse
from kahi_api.audit import note_of
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint, Handler
from kahi_api.objects import ProcessObject
from kahi_api.operations import OPERATIONS, Operation
from kahi_api.requests import ProcessFilter, SignalBody, Wait, signal_name


async def list_processes(request: Request) -> Response:
    """All processes in name order, or those of a group or in a state."""
    wanted = query_of(request, ProcessFilter)
    context = context_of(request)
    found: Iterable[Process] = context.daemon.supervisor.processes.values()
    if wanted.group is not None:
        found = [process for process in found if process.group == wanted.group]
    if wanted.state is not None:
        found = [process for process in found if process.state.name == wanted.state]
    return EncodedJsonResponse(context.processes.many(found))


async def one_process(request: Request) -> Response:
    """One process."""
    context = context_of(request)
    process = context.daemon.supervisor.process(request.path_params["name"])
    return EncodedJsonResponse(context.processes.one(process))


def _on_one(operation: Operation) -> Handler:
    async def handler(request: Request) -> Response:
        supervisor = context_of(request).daemon.supervisor
        process = supervisor.process(request.path_params["name"])
        wait = query_of(request, Wait).wait
        (outcome,) = await operation(supervisor, [process], wait, True)
        if outcome.error is not None:
            raise outcome.error
        return EncodedJsonResponse(context_of(request).processes.one(process), 200 if wait else 202)

    return handler


async def send_signal(request: Request) -> Response:
    """Send a signal to the process itself."""
    process = context_of(request).daemon.supervisor.process(request.path_params["name"])
    number = body_of(request, SignalBody).signal
    note_of(request).action = signal_name(number)
    process.send_signal(number)
    return EncodedJsonResponse(context_of(request).processes.one(process))


_BASE = "/api/v1/processes"
_NAME = {"name": "Name of the process."}

ENDPOINTS = (
    Endpoint(
        "GET",
        _BASE,
        Access.READ,
        list_processes,
        "All processes, in name order",
        query=ProcessFilter,
        answers={200: list[ProcessObject]},
    ),
    Endpoint(
        "GET",
        _BASE + "/{name}",
        Access.READ,
        one_process,
        "One process",
        answers={200: ProcessObject},
        errors=(NoSuchProcess,),
        parameters=_NAME,
    ),
    *(
        Endpoint(
            "POST",
            f"{_BASE}/{{name}}/{word}",
            Access.OPERATE,
            _on_one(operation),
            f"{word.title()} one process",
            query=Wait,
            answers={200: ProcessObject, 202: ProcessObject},
            errors=(NoSuchProcess, ProcessError, StartFailed, AbnormalTermination),
            parameters=_NAME,
        )
        for word, operation in OPERATIONS.items()
    ),
    Endpoint(
        "POST",
        _BASE + "/{name}/signal",
        Access.OPERATE,
        send_signal,
        "Send a signal to one process",
        body=SignalBody,
        answers={200: ProcessObject},
        errors=(NoSuchProcess, NotRunning),
        parameters=_NAME,
    ),
)
