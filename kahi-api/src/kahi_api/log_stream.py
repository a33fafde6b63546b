"""A growing log as server-sent events.

The reader goes through the log at its own pace, so nothing is queued for it: what is gone when it
comes back is told by a ``dropped`` event.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Final

from kahi.output import OutputStream, begun_character
from kahi_api.streams import ALIVE, BEGIN, Streams, encode_event

PIECE: Final = 64 * 1024
"""Bytes of log in one event at most."""


async def log_events(
    stream: OutputStream, last: int | None, tail: int, streams: Streams
) -> AsyncGenerator[bytes]:
    """A log as it grows, for as long as the reader stays and the process is in the configuration.

    Args:
        last: the offset that the reader has come to; None begins with the last ``tail`` bytes.
    """
    with streams.wake() as wake:
        follower = stream.follow(wake.set)
        try:
            yield BEGIN
            offset = await _beginning(stream, tail) if last is None else last
            is_silent = False
            while not wake.closing:
                piece = await stream.read(offset, PIECE)
                if piece.ahead:
                    offset = piece.offset
                    yield encode_event(json.dumps({"offset": offset}), event="reset", event_id=offset)
                    continue
                offset = piece.offset - len(piece.data)
                if piece.missed:
                    yield encode_event(json.dumps({"bytes": piece.missed}), event="dropped", event_id=offset)
                data = piece.data if is_silent else decided(piece.data)
                if data:
                    offset += len(data)
                    is_silent = False
                    yield encode_output(data, event_id=offset)
                    continue
                if stream.retired:
                    return
                is_silent = not await wake.wait()
                if is_silent:
                    yield ALIVE
        finally:
            follower.close()


async def _beginning(stream: OutputStream, tail: int) -> int:
    """The offset of the last ``tail`` bytes, or of what is left of them."""
    piece = await stream.read(-max(tail, 1), 1)
    return piece.offset - len(piece.data) if tail else stream.offset


def encode_output(data: bytes, *, event: str = "", event_id: int | None = None) -> bytes:
    """One event with a piece of output.

    Where text in an event could not hold it byte for byte (other line ends, no UTF-8), it is there a
    second time, in base64, in a field ``exact`` that other readers than Kahi's own skip.
    """
    text = data.decode("utf-8", "replace")
    is_exact = "\r" not in text and ("\ufffd" not in text or text.encode() == data)
    return encode_event(text, event=event, event_id=event_id, exact=b"" if is_exact else data)


def decided(data: bytes) -> bytes:
    """``data`` without what only the next byte gives a meaning: half a character, half a line end."""
    return data[: len(data) - begun_character(data)].removesuffix(b"\r")
