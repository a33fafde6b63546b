"""Programs that print as fast as they can, once they are told to, and what that costs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measures import cpu, memory
from benchmarks.subjects import Program, Subject, running

IN_PYTHON = """\
import fcntl, os, sys, time
gate, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
piece = b"x" * (size - 1) + b"\\n"
fcntl.flock(os.open(gate, os.O_RDONLY), fcntl.LOCK_SH)
while count:
    os.write(1, piece)
    count -= 1
os.write(1, b"this is the end\\n")
time.sleep(100000)
"""
"""Waits at a gate, prints pieces of one size (``-1``: for ever), and says that this is the end."""

IN_C = """\
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
int main(int argc, char **argv) {
    size_t size = atol(argv[2]);
    long count = atol(argv[3]);
    char *piece = memset(malloc(size), 'x', size);
    piece[size - 1] = '\\n';
    flock(open(argv[1], O_RDONLY), LOCK_SH);
    while (count && write(1, piece, size) > 0) count--;
    if (write(1, "this is the end\\n", 16) < 0) return 1;
    for (;;) pause();
}
"""
"""The same where there is a C compiler: Python is too slow to keep a supervisor busy with lines."""

MEMORY = Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())
"""Where the logs are: in memory if possible, so that supervisors are compared and not disks."""

MEGABYTE = 1000 * 1000
GIGABYTE = 1000 * MEGABYTE


class Gate:
    """What printers wait at until it is opened."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "gate"
        self._fd = os.open(self.path, os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def open(self) -> None:
        """Let them go on."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)


def _printer(directory: Path) -> str:
    """The command that prints."""
    source, program = directory / "printer.c", directory / "printer"
    source.write_text(IN_C)
    if (
        shutil.which("cc")
        and subprocess.run(["cc", "-O2", "-o", program, source], check=False).returncode == 0
    ):
        return str(program)
    script = directory / "printer.py"
    script.write_text(IN_PYTHON)
    return f"{sys.executable} -S -E {script}"


@contextlib.contextmanager
def _printers(
    subject: Subject, count: int, size: int, pieces: int
) -> Iterator[tuple[object, Gate, list[Path]]]:
    directory = MEMORY / f"kahi-bench-loads-{os.getpid()}"
    directory.mkdir()
    try:
        printer, gate = _printer(directory), Gate(directory)
        logs = [directory / f"log{number}" for number in range(count)]
        command = f"{printer} {gate.path} {size} {pieces}"
        programs = [Program(f"p{number}", command, logfile=str(log)) for number, log in enumerate(logs)]
        with running(subject, programs) as daemon:
            daemon.wait_until_it_answers()
            time.sleep(1.5 + count * 0.05)
            yield daemon, gate, logs
    finally:
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()


def _has_ended(log: Path) -> bool:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(-16, os.SEEK_END)
        return file.read() == b"this is the end\n"
    return False


LOADS = {
    "1 program, 64 KiB writes": (1, 64 * 1024, 2 * GIGABYTE),
    "1 program, lines": (1, 100, 400 * MEGABYTE),
    "4 programs, lines": (4, 100, 400 * MEGABYTE),
    "50 programs, 64 KiB writes": (50, 64 * 1024, 2 * GIGABYTE),
}
"""Programs, bytes of each write, bytes of all of them."""


def logs(subject: Subject) -> dict[str, float]:
    """Output to rotated files: MB/s, and CPU seconds of the daemon for each GB."""
    found: dict[str, float] = {}
    for name, (count, size, total) in LOADS.items():
        pieces = total // size // count
        printed = pieces * size * count
        with _printers(subject, count, size, pieces) as (daemon, gate, files):
            spent, begin = cpu(daemon.pid), time.monotonic()
            gate.open()
            while not all(map(_has_ended, files)):
                time.sleep(0.005)
            found[f"log of {name} (MB/s)"] = printed / MEGABYTE / (time.monotonic() - begin)
            found[f"log of {name} (CPU s/GB)"] = (cpu(daemon.pid) - spent) / (printed / GIGABYTE)
    return found


def flood(subject: Subject, requests: int = 300) -> dict[str, float]:
    """Answers of the API while four programs print as fast as they can."""
    times: list[float] = []
    with _printers(subject, 4, 64 * 1024, -1) as (daemon, gate, _):
        gate.open()
        time.sleep(1)
        for _ in range(requests):
            begin = time.monotonic()
            if not subject.answers(daemon.directory):
                raise TimeoutError("the API does not answer")
            times.append(time.monotonic() - begin)
            time.sleep(0.005)
        used = memory(daemon.pid)
    times.sort()
    return {
        "API under 4 floods, median": statistics.median(times),
        "API under 4 floods, p99": times[int(len(times) * 0.99)],
        "memory (MiB) under 4 floods": used,
    }
