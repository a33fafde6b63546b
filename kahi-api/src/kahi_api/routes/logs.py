"""Logs of processes and of the daemon: a piece of one, all of it as it grows, an empty one."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import LogError, NoSuchProcess
from kahi.output import OutputStream
from kahi.process import Process
from kahi_api.admission import query_of
from kahi_api.answers import JsonResponse
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint, EventStream, Text
from kahi_api.errors import NoSuchStream
from kahi_api.log_stream import log_events
from kahi_api.objects import StatusObject
from kahi_api.requests import Number, Parameters
from kahi_api.streams import event_stream, last_event_id

MAX_LENGTH: Final = 1024 * 1024

Length = Annotated[Number, Field(ge=0), AfterValidator(lambda length: min(length, MAX_LENGTH))]


class PieceQuery(Parameters):
    """Which piece of a log."""

    offset: Number | None = Field(
        default=None,
        ge=-(2**53),
        description="Of the first byte; negative counts from the end, which is also the default.",
    )
    length: Length = Field(default=1600, description="Bytes at most; never more than 1 MiB.")


class TailQuery(Parameters):
    """Where a stream begins, unless ``Last-Event-ID`` says it."""

    tail: Length = Field(default=0, description="So many bytes before the end of what there is.")


async def read_log(request: Request) -> Response:
    """A piece of a log, by offset."""
    return await answer_piece(request, _stream_of(request))


async def follow_log(request: Request) -> Response:
    """A log as it grows, as server-sent events."""
    return answer_stream(request, _stream_of(request))


async def clear_log(request: Request) -> Response:
    """Empty a log."""
    await _stream_of(request).clear()
    return JsonResponse({"status": "cleared"})


async def read_own_log(request: Request) -> Response:
    """A piece of the daemon's own log."""
    return await answer_piece(request, context_of(request).daemon.daemon_log)


async def follow_own_log(request: Request) -> Response:
    """The daemon's own log as it grows."""
    return answer_stream(request, context_of(request).daemon.daemon_log)


async def reopen_logs(request: Request) -> Response:
    """Open all log files anew."""
    await context_of(request).daemon.supervisor.reopen_logs()
    return JsonResponse({"status": "reopened"})


async def answer_piece(request: Request, stream: OutputStream) -> Response:
    """Answer a piece of any stream."""
    query = query_of(request, PieceQuery)
    if query.offset is None:
        # Where the end is, can be asked for without a byte of it.
        length = max(query.length, 1)
        piece = await stream.read(-length, length)
    else:
        piece = await stream.read(query.offset, query.length)
    headers = {"X-Log-Offset": str(piece.offset)}
    if piece.missed:
        headers["X-Log-Missed"] = str(piece.missed)
    return Response(piece.data[: query.length], media_type="text/plain; charset=utf-8", headers=headers)


def answer_stream(request: Request, stream: OutputStream) -> Response:
    """Answer any stream as server-sent events."""
    tail = query_of(request, TailQuery).tail
    events = log_events(stream, last_event_id(request), tail, context_of(request).streams)
    return event_stream(request, events)


def _stream_of(request: Request) -> OutputStream:
    process = context_of(request).daemon.supervisor.process(request.path_params["name"])
    return stream_of(process, request.path_params["stream"])


def stream_of(process: Process, which: str) -> OutputStream:
    """One stream of a process; a redirected stderr is found in stdout. Raises NoSuchStream."""
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
        query=PieceQuery,
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
        query=TailQuery,
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
        query=PieceQuery,
        answers={200: Text},
    ),
    Endpoint(
        "GET",
        "/api/v1/log/stream",
        Access.READ,
        follow_own_log,
        "The daemon's own log as it grows",
        query=TailQuery,
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
