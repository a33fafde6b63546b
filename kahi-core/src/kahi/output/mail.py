"""Handing what was printed to the event loop, as much of it as the loop can cope with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BACKLOG: Final = 256 * 1024
"""Bytes that wait for the event loop; what comes on top is dropped and counted."""


class Mail:
    """A bounded queue from the data plane to the event loop, for one stream.

    Args:
        deliver: gets each piece with the pid of the child, on the event loop and in order.
        report: has something called on the event loop.
        on_overflow: told how many bytes were dropped, each time that has become ten times as many.
    """

    __slots__ = ("_deliver", "_dropped", "_next_warning", "_on_overflow", "_posted", "_report", "_taken")

    def __init__(
        self,
        deliver: Callable[[int, bytes], None],
        report: Callable[[Callable[[], None]], None],
        on_overflow: Callable[[int], None] | None = None,
    ) -> None:
        self._deliver = deliver
        self._report = report
        self._on_overflow = on_overflow
        self._posted = 0
        self._taken = 0
        self._dropped = 0
        self._next_warning = 1

    def post(self, pid: int, data: bytes) -> None:
        """Hand over a piece, unless too much waits already."""
        if self._posted - self._taken >= BACKLOG:
            self._dropped += len(data)
            if self._on_overflow is not None and self._dropped >= self._next_warning:
                self._next_warning = self._dropped * 10
                self._on_overflow(self._dropped)
            return
        self._posted += len(data)
        self._report(lambda: self._take(pid, data))

    def _take(self, pid: int, data: bytes) -> None:
        self._taken += len(data)
        self._deliver(pid, data)
