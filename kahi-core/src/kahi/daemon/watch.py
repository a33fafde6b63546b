"""A watch over the event loop: who holds it for too long is named.

The loop is watched by an alarm of the operating system that is set when the loop wakes up and
called off when it goes back to sleep: it costs nothing while the daemon is idle, and a look at the
clock for each turn while it is busy. When the alarm rings, the loop's own thread looks at what it is
doing.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import logging
import selectors
import signal
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from kahi.daemon.culprit import Culprit, OwnerOfModule, find_culprit

log = logging.getLogger(__name__)

LIMIT: Final = 0.1
"""Seconds that nobody may hold the event loop for."""

INTERVAL: Final = 0.05
"""Seconds between looks at what the loop does, from the moment at which it woke up."""

HANGS_AFTER: Final = 1.0
"""Seconds after which who holds the loop is reported at once: it may never let go."""


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
            self._arm(INTERVAL)

    def rest(self, *, asleep: bool) -> None:
        """A turn is over; the loop goes to sleep, or only looks for what is new."""
        if asleep and self._armed:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self._seen:
            self._judge(time.monotonic() - self._begun)

    def _arm(self, seconds: float) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        """The alarm. Anything may have been interrupted: nothing here may wait, and nothing may raise."""
        if frame is None or not self._armed:
            return
        passed = time.monotonic() - self._begun
        if passed < INTERVAL:
            self._arm(INTERVAL - passed)  # It was set in an earlier turn.
            return
        with contextlib.suppress(Exception):
            self._look(frame, passed)
        if passed < HANGS_AFTER:
            self._arm(INTERVAL)

    def _look(self, frame: FrameType, passed: float) -> None:
        task = asyncio.current_task()
        culprit = find_culprit(frame, "" if task is None else task.get_name(), self._owner_of_module)
        self._seen.append(culprit)
        if passed >= HANGS_AFTER:
            # In a thread of its own, because the log may be what was interrupted.
            _thread.start_new_thread(self._report_hanging, (culprit, passed))

    def _report_hanging(self, culprit: Culprit, passed: float) -> None:
        stack = "".join(culprit.stack.format()).rstrip()
        log.error(
            "%s has held the event loop for %.1f s, at %s\n%s", culprit.who, passed, culprit.place, stack
        )

    def _judge(self, took: float) -> None:
        """A turn with looks is over: report who was seen, the one that was seen most often first."""
        seen, self._seen = self._seen, []
        if self._armed:
            self._arm(INTERVAL)
        if took < LIMIT:
            return
        # Imports happen once; they are told only when there is nothing else to tell. A glimpse of something
        # else between them is none: its share of the turn has to be too long by itself.
        blamed = [culprit for culprit in seen if not culprit.importing]
        if took * len(blamed) / len(seen) < LIMIT:
            blamed = []
        by_name = {culprit.who: culprit for culprit in blamed or seen}
        (worst, _), *others = Counter(culprit.who for culprit in reversed(blamed or seen)).most_common()
        log.log(
            logging.WARNING if blamed else logging.DEBUG,
            "%s held the event loop for %.0f ms%s, at %s",
            worst,
            took * 1000,
            f" (with {', '.join(who for who, _ in others)})" if others else "",
            by_name[worst].place,
        )
        for plugin in {culprit.plugin for culprit in blamed if culprit.plugin}:
            self._count_stall(plugin)


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
