"""A program that prints numbered lines at full speed, and who checks that each is there once.

Run as ``python -m tests.e2e.numbering LIMIT [PAUSE]``: lines ``PID NUMBER`` until the limit (0: none) or
SIGTERM, then a line ``PID end COUNT``; ``PAUSE`` seconds between lines.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support import ROOT


def command(limit: int = 0, pause: float = 0.0) -> str:
    """The ``command`` of a program that prints; its directory has to be the project's."""
    return f"command = '{sys.executable} -m tests.e2e.numbering {limit} {pause}'\ndirectory = '{ROOT}'"


def main() -> None:
    """Print."""
    limit, pause = int(sys.argv[1]), float(sys.argv[2])
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    me, count = os.getpid(), 0
    while not ending and (not limit or count < limit):
        os.write(1, b"%d %d\n" % (me, count))
        count += 1
        if pause:
            time.sleep(pause)
    os.write(1, b"%d end %d\n" % (me, count))


def parts_of(log: Path) -> list[Path]:
    """A log and its rotated predecessors, oldest first."""
    numbers = sorted(
        (
            int(path.name.rpartition(".")[2])
            for path in log.parent.glob(f"{log.name}.*")
            if path.suffix[1:].isdigit()
        ),
        reverse=True,
    )
    return [*(log.with_name(f"{log.name}.{number}") for number in numbers), log]


def content_of(paths: Iterable[Path]) -> bytes:
    """All of them, one after the other."""
    return b"".join(path.read_bytes() for path in paths if path.exists())


def check(content: bytes, *, killed: Iterable[int] = ()) -> dict[int, int]:
    """Fail unless every line of every run is there once and in order; returns the count of each run.

    Args:
        killed: pids of runs that could not print their end.
    """
    counts: dict[int, int] = {}
    ended: set[int] = set()
    assert content.endswith(b"\n"), content[-100:]
    for line in content.splitlines():
        pid, *rest = line.split()
        me = int(pid)
        assert me not in ended, line
        if rest[0] == b"end":
            assert int(rest[1]) == counts.get(me, 0), line
            ended.add(me)
        else:
            assert len(rest) == 1, line
            assert int(rest[0]) == counts.get(me, 0), f"{line!r} after {counts.get(me, 0) - 1}"
            counts[me] = counts.get(me, 0) + 1
    assert counts.keys() - ended <= set(killed)
    return counts


if __name__ == "__main__":
    main()
