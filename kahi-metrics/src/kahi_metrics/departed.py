"""Processes that have left, whose last values are still told for a while.

A counter that vanished at once would take what happened since the last scrape with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kahi.process import Process

KEPT_FOR: Final = 300.0
"""Seconds that the series of a removed process stay."""


class Departed:
    """Remembers removed processes. Belongs to the event-loop thread.

    There is no timer: what is too old is forgotten when somebody looks, or another one leaves.

    Args:
        clock: seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, Process]] = {}

    def note(self, process: Process) -> None:
        """A process is removed."""
        self._forget_old()
        # The last to leave is the last in the dictionary, whatever was called like it before.
        self._left.pop(process.name, None)
        self._left[process.name] = (self._clock(), process)

    def __iter__(self) -> Iterator[Process]:
        self._forget_old()
        return iter([process for _, process in self._left.values()])

    def _forget_old(self) -> None:
        oldest = self._clock() - KEPT_FOR
        for name, (when, _) in tuple(self._left.items()):
            if when > oldest:
                return
            del self._left[name]
