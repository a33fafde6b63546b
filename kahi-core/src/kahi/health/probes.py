"""Running checks: each within its time, and only so many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from kahi.hookspecs import CheckFailed

WIDTH: Final = 32
"""Checks that run at the same time; the others wait for their turn."""

Done = Callable[[BaseException | None], None]


class Probes:
    """All checks that run or wait. Belongs to the event-loop thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, width: int = WIDTH) -> None:
        self.loop = loop
        self._width = width
        self._waiting: deque[Probe] = deque()
        self._running: set[Probe] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, work: Callable[[], Coroutine[Any, Any, None]], timeout: float, done: Done) -> Probe:
        """Run ``work`` as soon as there is room.

        Args:
            timeout: seconds it may take from then on.
            done: told how it ended, unless it was given up: None, or what it raised.
        """
        probe = Probe(self, work, timeout, done)
        self._waiting.append(probe)
        self._fill()
        return probe

    def leave(self, probe: Probe) -> None:
        """Make room for the next; called by a probe that is over."""
        if probe in self._running:
            self._running.discard(probe)
            self._fill()
        else:
            self._waiting.remove(probe)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task until it has ended, also when nobody waits for it any more."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._width:
            probe = self._waiting.popleft()
            self._running.add(probe)
            probe.begin()


class Probe:
    """One check on its way. It ends by itself, by its time, or by being given up.

    Work that goes on although it was cancelled is left behind: it holds up no other check.
    """

    __slots__ = ("_done", "_is_over", "_probes", "_task", "_timeout", "_timer", "_work")

    def __init__(
        self, probes: Probes, work: Callable[[], Coroutine[Any, Any, None]], timeout: float, done: Done
    ) -> None:
        self._probes = probes
        self._work = work
        self._timeout = timeout
        self._done = done
        self._is_over = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Set it going."""
        loop = self._probes.loop
        self._task = loop.create_task(self._work())
        self._probes.keep(self._task)
        self._timer = loop.call_later(self._timeout, self._expire)
        self._task.add_done_callback(self._ended)

    def give_up(self) -> None:
        """Nobody wants to know any more."""
        self._end()

    def _expire(self) -> None:
        if self._end():
            self._done(CheckFailed(f"no answer within {self._timeout:g} s"))

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = CheckFailed("cancelled itself") if task.cancelled() else task.exception()
        if self._end():
            self._done(error)

    def _end(self) -> bool:
        """Whether it was not over yet."""
        if self._is_over:
            return False
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._probes.leave(self)
        return True
