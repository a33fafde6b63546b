"""A clock that a test moves."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class FakeClock:
    """A clock that stands still unless a test advances it, or has work done that waits.

    It has the two methods of [kahi.system.System][] that tell the time, so it serves wherever one of
    them is asked for::

        bus = EventBus(clock.wall_clock)

    Args:
        now: what ``monotonic`` tells at first.
        epoch: what ``wall_clock`` tells at first.
    """

    def __init__(self, now: float = 1000.0, epoch: float = 1.7e9) -> None:
        self._now = now
        self._offset = epoch - now

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return self._now

    def wall_clock(self) -> float:
        """Seconds since the epoch."""
        return self._now + self._offset

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError when it would go back."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end on an event loop that has this clock.

        Time jumps to the next timer as soon as nothing else is left to do, so a minute's pause
        takes none. For work that waits for time and for itself, not for what is outside.
        """
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(work)


class _Selector(selectors.SelectSelector):
    """Does not wait for timers: lets time pass."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(None if timeout is None else 0)
        if not found and timeout:
            self._clock.advance(timeout)
        return found


class _Loop(asyncio.SelectorEventLoop):
    """An event loop with the time of a fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._clock.monotonic()
