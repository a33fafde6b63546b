"""What processes use, without anybody waiting for it.

A look at a thousand process trees takes tens of milliseconds, so a request is answered with the last
one, and has another taken on a worker thread when that one is old. While nobody asks, nobody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import anyio.to_thread

from kahi.supervisor import Supervisor
from kahi.system import System
from kahi.usage import Load, LoadMeter

FRESH: Final = 2.0
"""Seconds for which a sample does without another."""

STALE: Final = 30.0
"""Seconds after which nothing is better than an old sample."""

NOTHING: Final[Mapping[int, Load]] = MappingProxyType({})


class UsageSamples:
    """The last sample. Belongs to the event-loop thread."""

    def __init__(self, supervisor: Supervisor, system: System) -> None:
        self._supervisor = supervisor
        self._system = system
        self._latest: Mapping[int, Load] = NOTHING
        self._meter = LoadMeter(system)
        self._taken_at: float | None = None
        self._is_looking = False

    def latest(self) -> Mapping[int, Load]:
        """What is known, by the pid of the processes that Kahi started."""
        age = self._age()
        if (age is None or age > FRESH) and not self._is_looking:
            self._is_looking = True
            self._supervisor.background.run(self._look())
        return NOTHING if age is None or age > STALE else self._latest

    def _age(self) -> float | None:
        return None if self._taken_at is None else self._system.monotonic() - self._taken_at

    async def _look(self) -> None:
        try:
            age = self._age()
            if age is None or age > STALE:
                self._meter = LoadMeter(self._system)
            up = {
                process.pid: process.uptime for process in self._supervisor.processes.values() if process.pid
            }
            self._latest = await anyio.to_thread.run_sync(self._meter.look, up)
            self._taken_at = self._system.monotonic()
        finally:
            self._is_looking = False
