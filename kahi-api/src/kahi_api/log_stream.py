"""A growing log as server-sent events.

The reader goes through the log at its own pace, so nothing is queued for it: what is gone when it
comes back is told by a ``dropped`` event.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Final

from kahi.output import OutputStream
from kahi_api.streams import ALIVE, BEGIN, Streams, encode_event

PIECE: Final = 64 * 1024
"""Bytes of log in one event at most."""


async def log_events(stream: OutputStream, offset: int, streams: Streams) -> AsyncGenerator[bytes]:
    """Everything from ``offset`` on, for as long as the reader stays."""
    with streams.wake() as wake:
        follower = stream.follow(wake.set)
        try:
            yield BEGIN
            while not wake.closing:
                piece = await stream.read(offset, PIECE)
                if piece.missed:
                    yield encode_event(json.dumps({"bytes": piece.missed}), event="dropped")
                if piece.data:
                    data = whole_characters(piece.data)
                    offset = piece.offset - len(piece.data) + len(data)
                    yield encode_output(data, event_id=offset)
                    continue
                offset = piece.offset
                if not await wake.wait():
                    yield ALIVE
        finally:
            follower.close()


def encode_output(data: bytes, *, event: str = "", event_id: int | None = None) -> bytes:
    """One event with a piece of output.

    Where text in an event could not hold it byte for byte (other line ends, no UTF-8), it is there a
    second time, in base64, in a field ``exact`` that other readers than Kahi's own skip.
    """
    text = data.decode("utf-8", "replace")
    is_exact = "\r" not in text and ("\ufffd" not in text or text.encode() == data)
    return encode_event(text, event=event, event_id=event_id, exact=b"" if is_exact else data)


def whole_characters(data: bytes) -> bytes:
    """``data`` without a UTF-8 character that only begins at its end, unless it is nothing else."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if needed > back and len(data) > back else data
    return data
