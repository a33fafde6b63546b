"""What a listener says on its stdout, as a state machine without I/O.

A listener says ``READY\\n`` when it can take an event, gets one, and answers ``RESULT 2\\nOK`` or
``RESULT 4\\nFAIL``. Anything else is a violation, after which nothing it says means anything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

READY: Final = b"READY\n"
RESULT: Final = b"RESULT "
OK: Final = b"OK"

MAX_LINE: Final = 64
"""Bytes of a result line at most; a number with so many digits means nothing."""

MAX_RESULT: Final = 64 * 1024
"""Bytes of a result at most."""


class ListenerState(enum.Enum):
    """Where a listener is, with supervisord's names."""

    ACKNOWLEDGED = "has not said yet that it is ready"
    READY = "waits for an event"
    BUSY = "works on an event"
    UNKNOWN = "has broken the protocol"


class Word(enum.Enum):
    """What a listener said."""

    READY = "it can take an event"
    DONE = "it dealt with the event"
    REFUSED = "it did not: the event has to be dealt with again"
    VIOLATION = "nothing that the protocol knows"


@dataclass(frozen=True, slots=True)
class Saying:
    """One thing a listener said; ``detail`` is for people."""

    word: Word
    detail: str = ""


class ListenerProtocol:
    """One listener's side of the protocol, from its start on."""

    __slots__ = ("_buffer", "_result_length", "state")

    def __init__(self) -> None:
        self.state = ListenerState.ACKNOWLEDGED
        self._buffer = b""
        self._result_length = -1

    def sent(self) -> None:
        """It was given an event; it must have been READY."""
        assert self.state is ListenerState.READY
        self.state = ListenerState.BUSY

    def feed(self, data: bytes) -> list[Saying]:
        """What it says with ``data`` and what came before."""
        self._buffer += data
        said: list[Saying] = []
        while self._buffer and self.state is not ListenerState.UNKNOWN:
            saying = self._next()
            if saying is None:
                break
            said.append(saying)
        return said

    def _next(self) -> Saying | None:
        """The first thing in the buffer, None when it is not whole yet."""
        match self.state:
            case ListenerState.ACKNOWLEDGED:
                return self._expect_ready()
            case ListenerState.BUSY if self._result_length < 0:
                return self._expect_result_line()
            case ListenerState.BUSY:
                return self._expect_result()
            case _:
                return self._violation("before it was given an event")

    def _expect_ready(self) -> Saying | None:
        if self._buffer.startswith(READY):
            self._buffer = self._buffer[len(READY) :]
            self.state = ListenerState.READY
            return Saying(Word.READY)
        if READY.startswith(self._buffer):
            return None
        return self._violation("where READY was due")

    def _expect_result_line(self) -> Saying | None:
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline and len(line) <= MAX_LINE and _may_become_result(line):
            return None
        digits = line.removeprefix(RESULT).strip()
        is_length = newline and line.startswith(RESULT) and len(line) <= MAX_LINE and digits.isdigit()
        if not is_length or int(digits) > MAX_RESULT:
            return self._violation("where RESULT and a length were due")
        self._result_length = int(digits)
        self._buffer = rest
        return self._expect_result()

    def _expect_result(self) -> Saying | None:
        if len(self._buffer) < self._result_length:
            return None
        result = self._buffer[: self._result_length]
        self._buffer = self._buffer[self._result_length :]
        self._result_length = -1
        self.state = ListenerState.ACKNOWLEDGED
        if result == OK:
            return Saying(Word.DONE)
        return Saying(Word.REFUSED, _shown(result))

    def _violation(self, when: str) -> Saying:
        said = _shown(self._buffer)
        self.state = ListenerState.UNKNOWN
        self._buffer = b""
        return Saying(Word.VIOLATION, f"it said {said} {when}")


def _may_become_result(line: bytes) -> bool:
    return line.startswith(RESULT) or RESULT.startswith(line)


def _shown(data: bytes) -> str:
    text = repr(data[:60].decode("utf-8", "backslashreplace"))
    return text if len(data) <= 60 else f"{text[:-1]}…'"
