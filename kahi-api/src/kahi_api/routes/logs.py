"""Logs of processes and of the daemon: a piece of one, all of it as it grows, an empty one."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kahi.errors import LogError, NoSuchProcess
from kahi.output import OutputStream
from kahi_api.context import context_of, number
from kahi_api.endpoint import Access, Endpoint, EventStream, Text
from kahi_api.errors import NoSuchStream
from kahi_api.log_stream import log_events
from kahi_api.objects import StatusObject
from kahi_api.streams import event_stream, last_event_id

DEFAULT_LENGTH: Final = 1600
MAX_LENGTH: Final = 1024 * 1024


async def read_log(request: Request) -> Response:
    """A piece of a log, by offset."""
    return await answer_piece(request, _stream_of(request))


async def follow_log(request: Request) -> Response:
    """A log as it grows, as server-sent events."""
    return answer_stream(request, _stream_of(request))


async def clear_log(request: Request) -> Response:
    """Empty a log."""
    await _stream_of(request).clear()
    return JSONResponse({"status": "cleared"})


async def read_own_log(request: Request) -> Response:
    """A piece of the daemon's own log."""
    return await answer_piece(request, context_of(request).daemon.daemon_log)


async def follow_own_log(request: Request) -> Response:
    """The daemon's own log as it grows."""
    return answer_stream(request, context_of(request).daemon.daemon_log)


async def reopen_logs(request: Request) -> Response:
    """Open all log files anew."""
    await context_of(request).daemon.supervisor.reopen_logs()
    return JSONResponse({"status": "reopened"})


async def answer_piece(request: Request, stream: OutputStream) -> Response:
    """Answer a piece of any stream."""
    length = number(request, "length", DEFAULT_LENGTH, least=0, most=MAX_LENGTH)
    offset = number(request, "offset", -length)
    piece = await stream.read(offset, length)
    headers = {"X-Log-Offset": str(piece.offset)}
    if piece.missed:
        headers["X-Log-Missed"] = str(piece.missed)
    return Response(piece.data, media_type="text/plain; charset=utf-8", headers=headers)


def answer_stream(request: Request, stream: OutputStream) -> Response:
    """Answer any stream as server-sent events."""
    tail = number(request, "tail", 0, least=0, most=MAX_LENGTH)
    events = log_events(stream, last_event_id(request), tail, context_of(request).streams)
    return event_stream(request, events)


def _stream_of(request: Request) -> OutputStream:
    process = context_of(request).daemon.supervisor.process(request.path_params["name"])
    which = request.path_params["stream"]
    if which == "stdout":
        return process.stdout
    if which == "stderr":
        return process.stdout if process.stderr is None else process.stderr
    raise NoSuchStream(which)


_BASE = "/api/v1/processes/{name}/log/{stream}"
_PARAMETERS = {"name": "Name of the process.", "stream": "stdout or stderr."}

ENDPOINTS = (
    Endpoint(
        "GET",
        _BASE,
        Access.READ,
        read_log,
        "A piece of a log",
        answers={200: Text},
        errors=(NoSuchProcess, NoSuchStream),
        parameters=_PARAMETERS,
    ),
    Endpoint(
        "GET",
        _BASE + "/stream",
        Access.READ,
        follow_log,
        "A log as it grows",
        answers={200: EventStream},
        errors=(NoSuchProcess, NoSuchStream),
        parameters=_PARAMETERS,
    ),
    Endpoint(
        "DELETE",
        _BASE,
        Access.OPERATE,
        clear_log,
        "Empty a log",
        answers={200: StatusObject},
        errors=(NoSuchProcess, LogError),
        parameters=_PARAMETERS,
    ),
    Endpoint(
        "GET",
        "/api/v1/log",
        Access.READ,
        read_own_log,
        "A piece of the daemon's own log",
        answers={200: Text},
    ),
    Endpoint(
        "GET",
        "/api/v1/log/stream",
        Access.READ,
        follow_own_log,
        "The daemon's own log as it grows",
        answers={200: EventStream},
    ),
    Endpoint(
        "POST",
        "/api/v1/logs/reopen",
        Access.OPERATE,
        reopen_logs,
        "Open all log files anew, as after somebody moved them",
        answers={200: StatusObject},
        errors=(LogError,),
    ),
)
