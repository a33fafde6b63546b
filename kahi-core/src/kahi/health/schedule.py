"""When a process is probed: soon until it is healthy, then every ``interval``."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from kahi.health.judgement import Judgement, patience_ends
from kahi.health.probes import Probe, Probes

if TYPE_CHECKING:
    from kahi.definition import HealthSettings
    from kahi.process import Process

FIRST_PAUSE: Final = 0.1
"""Seconds before a process that is not ready yet is looked at again; twice as long each time."""

SPREAD: Final = 0.05
"""Share of an interval that chance adds or takes, so that checks that began together drift apart."""

CROWD: Final = 1000
"""First checks of processes that start together are spread over a second for each so many."""


class Check(Protocol):
    """Looks once at a process."""

    async def check(self, process: Process) -> None:
        """Return when it does its work. Raises CheckFailed."""
        ...


class Schedule:
    """Probes one process while it is up.

    Args:
        crowd: how many processes are probed.
        judged: told of each check what it raised, or None.
    """

    def __init__(
        self,
        process: Process,
        settings: HealthSettings,
        check: Check,
        probes: Probes,
        crowd: Callable[[], int],
        judged: Callable[[BaseException | None], Judgement],
    ) -> None:
        self._process = process
        self._settings = settings
        self._check = check
        self._probes = probes
        self._crowd = crowd
        self._judged = judged
        self._pause = FIRST_PAUSE
        self._is_up = False
        self._is_settled = False
        self._timer: asyncio.TimerHandle | None = None
        self._probe: Probe | None = None

    def begin(self) -> None:
        """The process is being started."""
        self.end()
        self._is_up = True
        self._is_settled = False
        self._pause = FIRST_PAUSE
        self._wait(_chance(0.0, min(self._crowd() / CROWD, self._settings.interval)))

    def end(self) -> None:
        """The process is going down."""
        self._is_up = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._probe.give_up()
            self._probe = None

    def close(self) -> None:
        """The process is probed no more."""
        self.end()

    def reconfigure(self, settings: HealthSettings) -> None:
        """Take over another pace."""
        self._settings = settings
        if self._timer is not None:
            remaining = self._timer.when() - self._probes.loop.time()
            self._timer.cancel()
            self._wait(min(max(0.0, remaining), settings.interval))

    def _wait(self, seconds: float) -> None:
        self._timer = self._probes.loop.call_later(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        if not self._process.pid:
            # Its log is being opened, or a plugin asked: there is nothing to be looked at yet.
            self._wait(FIRST_PAUSE)
            return
        self._probe = self._probes.submit(
            lambda: self._check.check(self._process), self._settings.timeout, self._done
        )

    def _done(self, error: BaseException | None) -> None:
        self._probe = None
        judgement = self._judged(error)
        if self._is_up:
            # What followed from it may have been the end.
            self._wait(self._next(judgement))

    def _next(self, judgement: Judgement) -> float:
        interval = self._settings.interval
        if judgement.status != "starting":
            # Processes that got ready together are not looked at together from then on.
            least, most = (1 - SPREAD, 1 + SPREAD) if self._is_settled else (0.5, 1.0)
            self._is_settled = True
            return interval * _chance(least, most)
        pause = min(self._pause, interval)
        self._pause *= 2
        remaining = patience_ends(judgement, self._settings) - self._probes.loop.time()
        return min(pause, max(remaining, FIRST_PAUSE))


def _chance(least: float, most: float) -> float:
    return random.uniform(least, most)  # noqa: S311
