"""A growing log as server-sent events.

The reader goes through the log at its own pace, so nothing is queued for it: what is gone when it
comes back is told by a ``dropped`` event.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from kahi.output import OutputStream
from kahi_api.context import ApiContext

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment shows that the stream lives."""

PIECE: Final = 64 * 1024
"""Bytes of log in one event at most."""

HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

_LINE_END: Final = re.compile("\r\n|\r|\n")


def event_stream_response(events: AsyncIterator[bytes]) -> Response:
    """The answer that carries server-sent events."""
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


def encode_event(data: str, *, event: str = "", event_id: int | None = None) -> bytes:
    """One server-sent event; its data joined by newlines is ``data`` again."""
    head = f"event: {event}\n" if event else ""
    if event_id is not None:
        head += f"id: {event_id}\n"
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"{head}{lines}\n".encode("utf-8", "replace")


def log_stream(stream: OutputStream, offset: int, context: ApiContext) -> Response:
    """Answer with everything from ``offset`` on, for as long as the reader stays."""
    return event_stream_response(_log_events(stream, offset, context.closing))


async def _log_events(stream: OutputStream, offset: int, closing: asyncio.Event) -> AsyncIterator[bytes]:
    changed = asyncio.Event()
    follower = stream.follow(changed.set)
    ending = asyncio.ensure_future(closing.wait())
    ending.add_done_callback(lambda _: changed.set())
    try:
        yield b": stream\n\n"
        while not closing.is_set():
            changed.clear()
            piece = await stream.read(offset, PIECE)
            if piece.missed:
                yield encode_event(json.dumps({"bytes": piece.missed}), event="dropped")
            if piece.data:
                data = whole_characters(piece.data)
                offset = piece.offset - len(piece.data) + len(data)
                yield encode_event(data.decode("utf-8", "replace"), event_id=offset)
                continue
            offset = piece.offset
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await changed.wait()
            except TimeoutError:
                yield b": alive\n\n"
    finally:
        follower.close()
        ending.cancel()


def whole_characters(data: bytes) -> bytes:
    """``data`` without a UTF-8 character that only begins at its end, unless it is nothing else."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if needed > back and len(data) > back else data
    return data
