"""Following a stream over interruptions, without missing or repeating anything."""

from __future__ import annotations

import binascii
import json
import time
from collections.abc import Callable, Iterator
from typing import Final

from kahi_api.client.errors import ApiError, CannotConnect, ClientError, ConnectionLost
from kahi_api.client.objects import Event, LogPiece
from kahi_api.client.sse import ServerEvent

FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 1.0
"""Seconds between attempts to reach a daemon that went away."""

Waiting = Callable[[ClientError], None]
"""Told why, each time that the daemon went away and is waited for."""


def follow(
    open_stream: Callable[[str], Iterator[ServerEvent | None]],
    last: str,
    waiting: Waiting | None,
    again: Callable[[str], str] | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[ServerEvent]:
    """The events of a stream; where it breaks off, it is opened again behind the last one.

    Args:
        open_stream: opens the stream behind the event with an id, "" for none.
        last: the id to begin with.
        waiting: None does not wait for a daemon that went away, but raises.
        again: gives the id to go on with once a daemon answers again.
        is_over: whether the reader wants no more, when a stream breaks off.

    Raises:
        CannotConnect: nobody is there at the beginning.
        ConnectionLost: the stream ended, and it is not waited.
        ApiError: the daemon refuses.
    """
    begun = False
    delay = 0.0
    while True:
        problem: ClientError
        try:
            if delay and again is not None:
                last = again(last)
            for event in open_stream(last):
                begun, delay = True, 0.0
                if event is None:
                    continue
                last = event.id or last
                yield event
            begun = True
            problem = ConnectionLost("the daemon has ended")
        except (CannotConnect, ConnectionLost) as error:
            problem = error
        except ApiError as error:
            if error.status != 503:
                raise
            problem = error
        if is_over():
            return
        if waiting is None or not begun:
            raise problem
        if not delay:
            waiting(problem)
        delay = min(max(delay * 2, FIRST_DELAY), LONGEST_DELAY)
        time.sleep(delay)


def log_piece(event: ServerEvent, before: int) -> LogPiece:
    """What an event of a log's stream says.

    Args:
        before: the offset after the last piece.
    """
    if event.type == "dropped":
        return LogPiece(b"", _number(event.id, before), missed=_dropped(event.data))
    if event.type == "reset":
        return LogPiece(b"", _number(event.id, 0), is_reset=True)
    data = binascii.a2b_base64(event.exact) if event.exact else event.data.encode("utf-8", "surrogatepass")
    stream = "" if event.type == "message" else event.type
    return LogPiece(data, _number(event.id, before + len(data)), stream=stream)


def happened(event: ServerEvent) -> Event:
    """An event of the stream of events."""
    try:
        data = json.loads(event.data)
    except ValueError:
        data = None
    return Event(event.type, _number(event.id, 0), data if isinstance(data, dict) else {"text": event.data})  # type: ignore[arg-type]


def _dropped(data: str) -> int:
    try:
        return int(json.loads(data)["bytes"])
    except (ValueError, KeyError, TypeError):
        return 0


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() else otherwise
