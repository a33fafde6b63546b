"""What processes use, without anybody waiting for it.

A look at a thousand process trees takes tens of milliseconds, so a request is answered with the last
one, and has another taken on a worker thread when that one is old. While nobody asks, nobody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import anyio.to_thread

from kahi.supervisor import Supervisor
from kahi.system import System
from kahi.usage import usage_of_trees

FRESH: Final = 2.0
"""Seconds for which a sample does without another."""

STALE: Final = 30.0
"""Seconds after which nothing is better than an old sample."""

NOTHING: Final[Mapping[int, ProcessUsage]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What a process tree uses: percent of one CPU, and bytes of resident memory."""

    cpu_percent: float
    memory_bytes: int


class UsageSamples:
    """The last sample. Belongs to the event-loop thread."""

    def __init__(self, supervisor: Supervisor, system: System) -> None:
        self._supervisor = supervisor
        self._system = system
        self._latest: Mapping[int, ProcessUsage] = NOTHING
        self._cpu_seconds: Mapping[int, float] = {}
        self._taken_at: float | None = None
        self._is_looking = False

    def latest(self) -> Mapping[int, ProcessUsage]:
        """What is known, by the pid of the processes that Kahi started."""
        age = self._age()
        if (age is None or age > FRESH) and not self._is_looking:
            self._is_looking = True
            self._supervisor.run_in_background(self._look())
        return NOTHING if age is None or age > STALE else self._latest

    def _age(self) -> float | None:
        return None if self._taken_at is None else self._system.monotonic() - self._taken_at

    async def _look(self) -> None:
        try:
            up = {process.pid: process for process in self._supervisor.processes.values() if process.pid}
            entries = await anyio.to_thread.run_sync(self._system.process_table)
            found = usage_of_trees(entries, list(up))
            since = self._age()
            latest: dict[int, ProcessUsage] = {}
            for pid, used in found.items():
                before = self._cpu_seconds.get(pid)
                if before is None or since is None or since > STALE:
                    # Seen for the first time: the share of its whole life.
                    before, period = 0.0, up[pid].uptime
                else:
                    period = since
                share = max(0.0, used.cpu_seconds - before) / period * 100 if period > 0 else 0.0
                latest[pid] = ProcessUsage(round(share, 1), used.memory)
            self._latest = latest
            self._cpu_seconds = {pid: used.cpu_seconds for pid, used in found.items()}
            self._taken_at = self._system.monotonic()
        finally:
            self._is_looking = False
