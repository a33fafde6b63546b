"""Programs that print as fast as they can, and an API that is asked meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

from benchmarks import machine
from benchmarks.figures import percentile
from benchmarks.subjects import Program, Subject, Unable
from benchmarks.workshop import MEMORY, Gate, Running, Workshop, now

MEGABYTE = 1000 * 1000
GIGABYTE = 1000 * MEGABYTE
END = b"this is the end\n"


def throughput(
    name: str, count: int, size: int, total: int
) -> Callable[[Subject, Workshop], dict[str, float]]:
    """The measure of ``count`` programs that print ``total`` bytes in writes of ``size``."""

    def log(subject: Subject, workshop: Workshop) -> dict[str, float]:
        return print_all(subject, workshop, name, count, size, total // 4 if workshop.quick else total)

    log.__doc__ = (
        f"{count} program{'s' if count > 1 else ''}, writes of {size} bytes, {total / GIGABYTE:g} GB in all"
        " (a quarter of it in a quick run), into log files that are rotated as by default (50 MB).\n\n"
        "From the opening of a gate that all wait at until every file ends with the last line; processor time"
        " of all processes of the supervisor for each GB."
    )
    return log


def print_all(
    subject: Subject, workshop: Workshop, name: str, count: int, size: int, total: int
) -> dict[str, float]:
    """``total`` bytes of ``count`` programs in writes of ``size``: MB/s, and processor time."""
    pieces = total // size // count
    printed = pieces * size * count
    with printers(subject, workshop, count, f"{size} {pieces}") as (daemon, gate, files):
        clock, begin = machine.Clock(daemon.own()), now()
        gate.open()
        while not all(map(_has_ended, files)):
            time.sleep(0.005)
        used = clock.seconds()
        return {
            f"log {name} rate": printed / (now() - begin),
            f"log {name} CPU": used / (printed / GIGABYTE),
            f"log {name} CPU in all": used,
        }


def flood(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """The API is asked 300 times (quick: 100), every 5 ms, while 4 programs print 64 KiB pieces for ever."""
    times: list[float] = []
    with printers(subject, workshop, 4, f"{64 * 1024} -1") as (daemon, gate, _):
        gate.open()
        time.sleep(1)
        for _ in range(100 if workshop.quick else 300):
            begin = now()
            if not subject.answers(daemon.directory):
                raise RuntimeError("the API does not answer")
            times.append(now() - begin)
            time.sleep(0.005)
    return {"flood, median": statistics.median(times), "flood, p99": percentile(times, 0.99)}


@contextlib.contextmanager
def printers(
    subject: Subject, workshop: Workshop, count: int, arguments: str
) -> Generator[tuple[Running, Gate, list[Path]]]:
    """Programs that wait at a gate and then print, with logs in memory."""
    if not subject.takes_logs:
        raise Unable
    directory = Path(tempfile.mkdtemp(prefix="kahi-bench-logs-", dir=MEMORY))
    try:
        gate = Gate(directory)
        logs = [directory / f"log{number}" for number in range(count)]
        command = f"{workshop.child} print {gate.path} {arguments}"
        programs = [Program(f"p{number}", command, logfile=str(log)) for number, log in enumerate(logs)]
        with workshop.running(subject, programs) as daemon:
            daemon.wait_until_it_answers()
            # supervisord starts nothing in its first second.
            time.sleep(2)
            yield daemon, gate, logs
    finally:
        shutil.rmtree(directory)


def _has_ended(log: Path) -> bool:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(-len(END), os.SEEK_END)
        return file.read() == END
    return False
