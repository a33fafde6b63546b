"""A watch over the event loop: who holds it for too long is named.

The loop is watched by an alarm of the operating system that is set when the loop wakes up and
called off when it goes back to sleep, so that it costs nothing while the daemon is idle, and a look at
the clock for each turn while it is busy. When the alarm rings, the loop's own thread looks at what it is doing.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import logging
import selectors
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from kahi.daemon.culprit import Culprit, OwnerOfModule, find_culprit

log = logging.getLogger(__name__)

LIMIT: Final = 0.1
"""Seconds that nobody may hold the event loop for."""

LOOKS: Final = (0.05, LIMIT, 1.0)
"""Seconds after which the loop is looked at, counted from when it woke up. Who is seen at the last
look may never let go, and is reported at once."""


class LoopWatch:
    """Notices when a turn of the event loop takes too long.

    For the main thread only: it uses SIGALRM.

    Args:
        owner_of_module: the plugin that a module belongs to, "" for none.
        count_stall: told the name of each plugin that held the loop.
    """

    def __init__(self, owner_of_module: OwnerOfModule, count_stall: Callable[[str], None]) -> None:
        self._owner_of_module = owner_of_module
        self._count_stall = count_stall
        self._begun = 0.0
        self._armed = False
        self._looks = 0
        self._seen: list[Culprit] = []
        self._previous: Any = signal.SIG_DFL

    def begin(self) -> None:
        """Take over SIGALRM."""
        self._previous = signal.signal(signal.SIGALRM, self._ring)

    def end(self) -> None:
        """Watch no more, and give SIGALRM back."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._previous)

    def wake(self) -> None:
        """The loop begins a turn."""
        self._begun = time.monotonic()
        if not self._armed:
            self._arm(LOOKS[0])

    def rest(self, *, asleep: bool) -> None:
        """A turn is over; the loop goes to sleep, or only looks for what is new."""
        if asleep and self._armed:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self._looks:
            self._judge(time.monotonic() - self._begun)

    def _arm(self, seconds: float) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        """The alarm. Anything may have been interrupted: nothing here may wait, and nothing may raise."""
        if frame is None or not self._armed:
            return
        passed = time.monotonic() - self._begun
        if passed < LOOKS[0]:
            self._arm(LOOKS[0] - passed)  # It was set in an earlier turn.
            return
        with contextlib.suppress(Exception):
            self._look(frame, passed)

    def _look(self, frame: FrameType, passed: float) -> None:
        task = asyncio.current_task()
        culprit = find_culprit(frame, "" if task is None else task.get_name(), self._owner_of_module)
        self._seen.append(culprit)
        self._looks = max(self._looks + 1, sum(passed >= look for look in LOOKS))
        if self._looks < len(LOOKS):
            self._arm(LOOKS[self._looks] - passed)
        else:
            # In a thread of its own, because the log may be what was interrupted.
            _thread.start_new_thread(self._report_now, (culprit, passed))

    def _report_now(self, culprit: Culprit, passed: float) -> None:
        log.error("%s has held the event loop for %.1f s, at %s", culprit.who, passed, culprit.place)

    def _judge(self, took: float) -> None:
        seen = self._seen
        self._looks, self._seen = 0, []
        if self._armed:
            self._arm(LOOKS[0])
        if took < LIMIT:
            return
        culprit = seen[-1]
        others = {each.who for each in seen} - {culprit.who}
        level = logging.DEBUG if culprit.importing else logging.WARNING
        log.log(
            level,
            "%s held the event loop for %.0f ms%s, at %s",
            culprit.who,
            took * 1000,
            f" (with {', '.join(sorted(others))})" if others else "",
            culprit.place,
        )
        if culprit.plugin and not culprit.importing:
            self._count_stall(culprit.plugin)


class WatchedSelector(selectors.DefaultSelector):
    """A selector that tells the watch when the loop sleeps."""

    def __init__(self, watch: LoopWatch) -> None:
        super().__init__()
        self._watch = watch

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for the next turn."""
        self._watch.rest(asleep=timeout is None or timeout > 0)
        try:
            return super().select(timeout)
        finally:
            self._watch.wake()
