"""The standard input of a process: writing to it, and being attached to it."""

from __future__ import annotations

import base64

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import BadArgument, NoInput, NoSuchProcess, NotRunning, StdinFull
from kahi_api.admission import body_of
from kahi_api.answers import EncodedJsonResponse
from kahi_api.attachment import AlreadyAttached, attached
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint, EventStream
from kahi_api.objects import ProcessObject
from kahi_api.requests import Parameters
from kahi_api.streams import event_stream


class InputBody(Parameters):
    """What to write."""

    data: str | None = Field(default=None, strict=True, description="Text, written as UTF-8.")
    data_base64: str | None = Field(default=None, strict=True, description="Bytes, in place of text.")
    end: bool = Field(
        default=False,
        strict=True,
        description="Close the input behind it; only where ``stdin_eof`` of the process allows that.",
    )

    def content(self) -> bytes:
        """The bytes to write. Raises BadArgument."""
        if (self.data is None) == (self.data_base64 is None):
            if self.end and self.data is None:
                return b""
            raise BadArgument("there must be either data or data_base64")
        if self.data is not None:
            return self.data.encode()
        try:
            return base64.b64decode(self.data_base64 or "", validate=True)
        except ValueError:
            raise BadArgument("data_base64 is no base64") from None


async def write(request: Request) -> Response:
    """Write to the process's input without waiting; what its pipe does not take is queued."""
    process = context_of(request).daemon.supervisor.process(request.path_params["name"])
    body = body_of(request, InputBody)
    content = body.content()
    if body.end:
        process.refuse_end_of_stdin()
    process.write_stdin(content)
    if body.end:
        process.end_stdin()
    return EncodedJsonResponse(context_of(request).processes.one(process))


async def attach(request: Request) -> Response:
    """Both streams of a process and its changes of state; one client at a time."""
    context = context_of(request)
    process = context.daemon.supervisor.process(request.path_params["name"])
    events = attached(process, context)
    # Takes the place of the one who is attached, or raises.
    await anext(events)
    return event_stream(request, events)


_BASE = "/api/v1/processes/{name}"
_NAME = {"name": "Name of the process."}

ENDPOINTS = (
    Endpoint(
        "POST",
        _BASE + "/stdin",
        Access.OPERATE,
        write,
        "Write to the standard input of a process",
        body=InputBody,
        answers={200: ProcessObject},
        errors=(NoSuchProcess, NotRunning, NoInput, StdinFull),
        parameters=_NAME,
    ),
    Endpoint(
        "GET",
        _BASE + "/attach",
        Access.OPERATE,
        attach,
        "Be attached to a process, alone: its output and its changes of state",
        answers={200: EventStream},
        errors=(NoSuchProcess, NotRunning, NoInput, AlreadyAttached),
        parameters=_NAME,
    ),
)
