"""What supervised processes use, with everything that they started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kahi.system import ProcessEntry, System


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used: seconds of CPU time so far, and bytes of resident memory now."""

    cpu_seconds: float = 0.0
    memory: int = 0


def usage_of_trees(entries: Iterable[ProcessEntry], roots: Sequence[int]) -> Mapping[int, Usage]:
    """What each of ``roots`` uses, with all its descendants and its process group.

    The entries are those of [System.process_table][kahi.system.System.process_table]: one pass over
    /proc for all roots together, some 15 ms for a thousand processes, so it belongs on a worker
    thread.
    """
    by_pid = {entry.pid: entry for entry in entries}
    wanted = frozenset(roots)
    owner: dict[int, int] = {}

    def owner_of(pid: int) -> int:
        """The root that a process belongs to, 0 for none."""
        path: list[int] = []
        found = 0
        while pid in by_pid and pid not in path:
            if pid in owner:
                found = owner[pid]
                break
            path.append(pid)
            if pid in wanted:
                found = pid
                break
            if by_pid[pid].group in wanted:
                found = by_pid[pid].group
                break
            pid = by_pid[pid].parent
        owner.update(dict.fromkeys(path, found))
        return found

    cpu = dict.fromkeys(roots, 0.0)
    memory = dict.fromkeys(roots, 0)
    for entry in by_pid.values():
        root = owner_of(entry.pid)
        if root:
            cpu[root] += entry.cpu_seconds
            memory[root] += entry.memory
    return {root: Usage(cpu[root], memory[root]) for root in wanted if root in by_pid}


@dataclass(frozen=True, slots=True)
class Load:
    """What a process tree uses now: percent of one CPU, and bytes of resident memory."""

    cpu_percent: float
    memory: int


class LoadMeter:
    """Turns CPU time into a share of it, by the difference to the look before."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._cpu_seconds: Mapping[int, float] = {}
        self._looked_at = 0.0

    def look(self, uptimes: Mapping[int, float]) -> dict[int, Load]:
        """Look at the process trees that begin at the pids of ``uptimes``; for a worker thread.

        Args:
            uptimes: seconds each root has lived: one that is seen for the first time gets the share
                of its whole life.
        """
        found = usage_of_trees(self._system.process_table(), tuple(uptimes))
        now = self._system.monotonic()
        loads: dict[int, Load] = {}
        for pid, used in found.items():
            before = self._cpu_seconds.get(pid)
            spent = used.cpu_seconds - (before or 0.0)
            period = uptimes[pid] if before is None else now - self._looked_at
            # The time of a member that nobody waited for is lost to the tree.
            share = max(0.0, spent) / period * 100 if period > 0 else 0.0
            loads[pid] = Load(round(share, 1), used.memory)
        self._cpu_seconds = {pid: used.cpu_seconds for pid, used in found.items()}
        self._looked_at = now
        return loads
