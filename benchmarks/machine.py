"""What /proc tells: processor time, memory and context switches of processes, and the load of the machine."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Clock:
    """The processor time that processes use from now on, all their threads, to the nanosecond."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._begun = {pid: used for pid in pids if (used := _cpu(pid)) is not None}

    def seconds(self) -> float:
        """Since the creation; processes that have ended meanwhile do not count."""
        spent = (used - begun for pid, begun in self._begun.items() if (used := _cpu(pid)) is not None)
        return sum(spent) / 1e9


def _cpu(pid: int) -> int | None:
    """Nanoseconds that a process has used (the clock of a process is named by its pid); None: it is gone."""
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:
        return None


def switches(pids: Iterable[int]) -> int:
    """Context switches of processes, of their own will or not, of all their threads."""
    return sum(
        int(line.split()[1])
        for pid in pids
        for task in (PROC / str(pid) / "task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if "ctxt_switches" in line
    )


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory of processes: what several share counts for each in part (PSS)."""
    return sum(
        int(line.split()[1]) * 1024
        for pid in pids
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )


def descriptors(pids: Iterable[int]) -> int:
    """Open descriptors of processes."""
    return sum(len(list((PROC / str(pid) / "fd").iterdir())) for pid in pids)


def family(pid: int, directory: Path, without: Path) -> list[int]:
    """The processes of a supervisor: itself, what is below it, and what names its directory.

    Args:
        without: the program of the supervised children, which are left out.
    """
    parents: dict[int, int] = {}
    commands: dict[int, bytes] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                commands[int(entry.name)] = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat[1])
    found: list[int] = []
    for each, command in commands.items():
        if os.fsencode(without) in command or not command:
            continue
        ancestor = each
        while ancestor not in (0, pid):
            ancestor = parents.get(ancestor, 0)
        if ancestor == pid or os.fsencode(directory) in command:
            found.append(each)
    return found


@dataclass(frozen=True)
class Load:
    """What else went on on the machine for a while.

    Args:
        average: the load average at its end.
        foreign: processors that others kept busy (2.0: two of them, all the time).
        steal: processors that the host had taken away.
    """

    average: float
    foreign: float
    steal: float


class Watch:
    """Measures the load from its creation on."""

    def __init__(self) -> None:
        self._begun = self._now()

    def load(self) -> Load:
        """Since the creation."""
        elapsed, busy, steal, own = (now - then for now, then in zip(self._now(), self._begun, strict=True))
        return Load(os.getloadavg()[0], max(0.0, busy - own) / elapsed, steal / elapsed)

    @staticmethod
    def _now() -> tuple[float, float, float, float]:
        fields = (PROC / "stat").read_text().splitlines()[0].split()
        user, nice, system, _, _, irq, softirq, steal = (int(field) * TICK for field in fields[1:9])
        own = sum(
            usage.ru_utime + usage.ru_stime
            for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )
        return time.monotonic(), user + nice + system + irq + softirq, steal, own


def description() -> dict[str, str | int]:
    """Of the machine, for the table."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in (PROC / "cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        os.uname().machine,
    )
    memory_size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "processors": os.cpu_count() or 1,
        "memory": memory_size,
        "kernel": f"{os.uname().sysname} {os.uname().release}",
    }
