"""CPU and memory of every process over the last quarter of an hour, in little memory."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Mapping
from typing import Final

from kahi.usage import Load

INTERVAL: Final = 10.0
"""Seconds between two samples."""

KEPT: Final = 90
"""Samples of one process: 15 minutes."""

_NOTHING: Final = array("f", [math.nan]) * KEPT


class Samples:
    """A window of samples that slides. Belongs to the event-loop thread.

    Each process takes two arrays of `KEPT` floats, 0.9 KiB together.
    """

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=KEPT)
        self._cpu: dict[str, array[float]] = {}
        self._memory: dict[str, array[float]] = {}
        self._next = 0

    def add(self, now: float, usage: Mapping[str, Load]) -> None:
        """Note one sample of all processes; those that are not in it use nothing known."""
        slot = self._next % KEPT
        self._next += 1
        self._times.append(now)
        for name in usage:
            if name not in self._cpu:
                self._cpu[name], self._memory[name] = array("f", _NOTHING), array("f", _NOTHING)
        for name, values in self._cpu.items():
            used = usage.get(name)
            values[slot] = math.nan if used is None else used.cpu_percent
            self._memory[name][slot] = math.nan if used is None else used.memory

    def keep_only(self, names: set[str]) -> None:
        """Forget processes that are gone."""
        for name in self._cpu.keys() - names:
            del self._cpu[name], self._memory[name]

    @property
    def times(self) -> list[float]:
        """When the samples were taken, oldest first (seconds since the epoch)."""
        return list(self._times)

    def cpu(self, name: str) -> list[float | None]:
        """Percent of one core at each of ``times``; None where it is not known."""
        return self._in_order(self._cpu.get(name))

    def memory(self, name: str) -> list[float | None]:
        """Bytes at each of ``times``; None where it is not known."""
        return self._in_order(self._memory.get(name))

    def _in_order(self, values: array[float] | None) -> list[float | None]:
        count = len(self._times)
        if values is None:
            return [None] * count
        first = self._next - count
        found = (values[index % KEPT] for index in range(first, self._next))
        return [None if math.isnan(value) else value for value in found]
