"""The process table: from /proc, or from ``ps`` where there is none."""

from __future__ import annotations

import os
import resource
import subprocess
from dataclasses import dataclass
from typing import Final

_PAGE: Final = resource.getpagesize()
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_COLUMNS: Final = ("pid=", "ppid=", "pgid=", "stat=", "rss=", "time=", "etime=")


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One line of the process table.

    Args:
        group: its process group.
        zombie: it has ended, and nobody has reaped it.
        memory: bytes of resident memory.
        cpu_seconds: CPU time that it, and those of its children that it has waited for, have used.
        session: its session; 0 where it can not be told.
        started: seconds from the boot of the system to its start; 0 where they can not be told.
    """

    pid: int
    parent: int
    group: int
    zombie: bool
    memory: int = 0
    cpu_seconds: float = 0.0
    session: int = 0
    started: float = 0.0


def read_proc() -> list[ProcessEntry]:
    """All processes in /proc; none where there is no such thing."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    entries = (_process_entry(pid) for pid in pids)
    return [entry for entry in entries if entry is not None]


def read_ps(now: float) -> list[ProcessEntry]:
    """All processes that ``ps`` tells of; costs some 10 ms.

    It tells their age in whole seconds, so that they started at ``now`` (seconds since the boot) less that,
    or up to a second before: said is the earliest moment.
    """
    columns = [word for column in _COLUMNS for word in ("-o", column)]
    listing = subprocess.run(["ps", "-A", *columns], capture_output=True, text=True, check=False)
    rows = (line.split() for line in listing.stdout.splitlines())
    return [
        ProcessEntry(
            int(row[0]),
            parent=int(row[1]),
            group=int(row[2]),
            zombie=row[3].startswith("Z"),
            memory=int(row[4]) * 1024,
            cpu_seconds=_seconds(row[5]),
            started=max(0.0, now - _seconds(row[6]) - 1),
        )
        for row in rows
        if len(row) == len(_COLUMNS)
    ]


def read_text(path: str) -> str:
    """A small file of the kernel's. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def read_sysctl(name: str) -> str:
    """A value of the kernel's where there is no file of it (macOS), "" when there is none."""
    try:
        told = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return told.stdout.strip()


def _process_entry(pid: int) -> ProcessEntry | None:
    """One entry of /proc; None when the process went away meanwhile."""
    try:
        text = read_text(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The command name in parentheses may itself hold parentheses and blanks.
    fields = text[text.rfind(")") + 2 :].split()
    return ProcessEntry(
        pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        zombie=fields[0] in "ZX",
        memory=int(fields[21]) * _PAGE,
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        started=int(fields[19]) / _TICKS,
    )


def _seconds(text: str) -> float:
    """A time as ``ps`` writes it: ``[days-][hours:]minutes:seconds``."""
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)
