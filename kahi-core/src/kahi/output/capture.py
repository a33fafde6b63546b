"""What a program says between the communication marks, for event listeners and not for the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BEGIN: Final = b"<!--XSUPERVISOR:BEGIN-->"
END: Final = b"<!--XSUPERVISOR:END-->"


class Capture:
    """Takes captured parts out of one stream. Marks may be split over pieces.

    Args:
        limit: bytes that are kept of one part at most; the newest stay.
        deliver: gets each part once it is whole, with the number of bytes that did not fit.
    """

    __slots__ = ("_captured", "_deliver", "_held", "_limit", "_open", "_overflow")

    def __init__(self, limit: int, deliver: Callable[[bytes, int], None]) -> None:
        self._limit = limit
        self._deliver = deliver
        self._held = b""
        self._open = False
        self._captured = bytearray()
        self._overflow = 0

    def feed(self, data: bytes) -> bytes:
        """What of ``data`` belongs to the log; the beginning of a possible mark waits for the rest."""
        data = self._held + data
        self._held = b""
        logged: list[bytes] = []
        while data:
            mark = END if self._open else BEGIN
            before, found, after = data.partition(mark)
            if not found:
                kept = len(data) - _length_of_beginning(data, mark)
                before, self._held = data[:kept], data[kept:]
            if self._open:
                self._keep(before)
            else:
                logged.append(before)
            if found:
                self._turn()
            data = after
        return b"".join(logged)

    def finish(self) -> bytes:
        """What is still held, at the end of the stream; a part without an end is delivered as it is."""
        held, self._held = self._held, b""
        if not self._open:
            return held
        self._keep(held)
        self._turn()
        return b""

    def _keep(self, data: bytes) -> None:
        self._captured += data
        excess = len(self._captured) - self._limit
        if excess > 0:
            self._overflow += excess
            del self._captured[:excess]

    def _turn(self) -> None:
        self._open = not self._open
        if self._open:
            return
        captured, overflow = bytes(self._captured), self._overflow
        self._captured, self._overflow = bytearray(), 0
        self._deliver(captured, overflow)


def _length_of_beginning(data: bytes, mark: bytes) -> int:
    """How many of the last bytes of ``data`` could be the beginning of ``mark``."""
    for length in range(min(len(mark) - 1, len(data)), 0, -1):
        if data.endswith(mark[:length]):
            return length
    return 0
