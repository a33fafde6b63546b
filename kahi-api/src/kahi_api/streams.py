"""Server-sent events: how streams are written, how many there may be, and how they end.

The generator of a stream waits on a `Wake`, which whoever has news for it sets; it ends by itself
when the server does. It holds no queue of its own: when it is behind, it looks up what it missed in
a log or a history that is bounded anyway. So a reader that does not read costs a buffer of the
connection, and nobody else anything::

    async def ticks(streams: Streams) -> AsyncIterator[bytes]:
        with streams.wake() as wake:
            clock.listeners.add(wake.set)
            while not wake.closing:
                yield encode_event("tick") if await wake.wait() else ALIVE

    return event_stream(request, ticks(context_of(request).streams))
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from starlette.responses import Response, StreamingResponse

from kahi_api.errors import TooManyStreams
from kahi_api.limits import HEARTBEAT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

BEGIN: Final = b": stream\n\n"
"""Written first, so that a reader knows at once that it is connected."""

ALIVE: Final = b": alive\n\n"

_HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_LINE_END: Final = re.compile("\r\n|\r|\n")


class Wake:
    """Wakes the writer of one stream; ``closing`` once the stream has to end."""

    __slots__ = ("_event", "closing")

    def __init__(self, *, closing: bool = False) -> None:
        self._event = asyncio.Event()
        self.closing = closing

    def set(self) -> None:
        """There is news, or the end."""
        self._event.set()

    async def wait(self) -> bool:
        """Wait until somebody calls `set`, or called it since the last wait.

        Returns:
            False when nobody did for `HEARTBEAT` seconds: time to write `ALIVE`.
        """
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Streams:
    """All streams that are open. Belongs to the event-loop thread.

    Args:
        limit: how many there may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._wakes: set[Wake] = set()
        self._closing = False
        self.count = 0

    @contextmanager
    def wake(self) -> Generator[Wake]:
        """For the generator of a stream: what it waits on while it runs."""
        wake = Wake(closing=self._closing)
        self._wakes.add(wake)
        try:
            yield wake
        finally:
            self._wakes.discard(wake)

    @contextmanager
    def place(self) -> Generator[None]:
        """Count one stream while it is open. Raises TooManyStreams."""
        if self.count >= self._limit:
            raise TooManyStreams(self._limit)
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1

    def close(self) -> None:
        """Have all streams end, those that are still to come as well."""
        self._closing = True
        for wake in self._wakes:
            wake.closing = True
            wake.set()


class _EventStreamResponse(StreamingResponse):
    """Counts the stream for as long as it is open, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, events: AsyncGenerator[bytes]) -> None:
        super().__init__(events, headers=_HEADERS)
        self._streams = streams
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._streams.place():
                # The protocol gives other responses a time in which they must be read.
                scope["state"]["endless"] = True
                await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()


def event_stream(request: Request, events: AsyncGenerator[bytes]) -> Response:
    """The answer that carries server-sent events.

    Raises TooManyStreams when it is sent and there are too many.
    """
    return _EventStreamResponse(request.app.state.context.streams, events)


def encode_event(data: str, *, event: str = "", event_id: int | None = None, exact: bytes = b"") -> bytes:
    """One server-sent event; its data joined by newlines is ``data`` again.

    Args:
        event: its type; never anything that came from outside.
        exact: what the data was before it became text, if that lost something.
    """
    head = f"event: {event}\n" if event else ""
    if event_id is not None:
        head += f"id: {event_id}\n"
    if exact:
        head += f"exact: {b64encode(exact).decode()}\n"
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"{head}{lines}\n".encode("utf-8", "replace")


def last_event_id(request: Request) -> int | None:
    """The id after which a reader resumes; None when it names none."""
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
