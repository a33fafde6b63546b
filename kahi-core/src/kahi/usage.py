"""What supervised processes use, with everything that they started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kahi.system import ProcessEntry


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
