"""What is measured. Each function returns figures of one supervisor, in seconds unless it says so."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.subjects import ENVIRONMENT, Program, Subject, running

SLEEP = "sleep 100000"


@contextlib.contextmanager
def fifo() -> Iterator[tuple[str, int]]:
    """A FIFO that children write to: its path, and the end that is read."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/fifo"
        os.mkfifo(path)
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        yield path, fd
        os.close(fd)


def read_line(fd: int, patience: float = 60.0) -> str:
    """What the children wrote next."""
    ready, _, _ = select.select([fd], [], [], patience)
    if not ready:
        raise TimeoutError("no child wrote anything")
    return os.read(fd, 65536).decode()


def start(subject: Subject, rounds: int = 9) -> dict[str, float]:
    """From exec of the daemon to its first child, and to the first answer of its API."""
    first_child: list[float] = []
    first_answer: list[float] = []
    for _ in range(rounds):
        with fifo() as (path, fd):
            program = Program("one", f'sh -c "echo up > {path}; exec {SLEEP}"')
            with running(subject, [program]) as daemon:
                read_line(fd)
                first_child.append(time.monotonic() - daemon.begun)
                daemon.wait_until_it_answers()
            with running(subject, [Program("one", SLEEP)]) as daemon:
                first_answer.append(daemon.wait_until_it_answers())
                time.sleep(0.3)
    return {
        "exec to first child": statistics.median(first_child),
        "exec to first answer of the API": statistics.median(first_answer),
    }


def many(subject: Subject, counts: tuple[int, ...] = (100, 1000)) -> dict[str, float]:
    """From exec to the last of many children, and from SIGTERM to the end of the daemon."""
    found: dict[str, float] = {}
    for count in counts:
        with fifo() as (path, fd):
            command = f"sh -c 'echo up > {path}; exec {SLEEP}'"
            with running(subject, [Program(f"p{number}", command) for number in range(count)]) as daemon:
                lines = 0
                while lines < count:
                    lines += read_line(fd).count("up")
                found[f"exec to child {count} of {count}"] = time.monotonic() - daemon.begun
                daemon.wait_until_it_answers()
                time.sleep(2)
                found[f"SIGTERM to the end, {count} programs"] = daemon.end()
    return found


def restart(subject: Subject, programs: int = 50) -> dict[str, float]:
    """From SIGKILL of a child to its successor running; each of ``programs`` is killed once."""
    times: list[float] = []
    with fifo() as (path, fd):
        command = f"sh -c 'echo $$ > {path}; exec {SLEEP}'"
        with running(subject, [Program(f"p{number}", command) for number in range(programs)]) as daemon:
            daemon.wait_until_it_answers()
            pids: list[int] = []
            while len(pids) < programs:
                pids += map(int, read_line(fd).split())
            time.sleep(2.5)
            for pid in pids:
                begin = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                read_line(fd)
                times.append(time.monotonic() - begin)
    times.sort()
    return {
        "restart after SIGKILL, median": statistics.median(times),
        "restart after SIGKILL, p99": times[int(len(times) * 0.99)],
    }


def idle(subject: Subject, programs: int = 20, seconds: float = 10.0) -> dict[str, float]:
    """Context switches (a count) and CPU time of an idle daemon, and its memory (MiB)."""
    with running(subject, [Program(f"p{number}", SLEEP) for number in range(programs)]) as daemon:
        daemon.wait_until_it_answers()
        time.sleep(3)
        switches, spent = _switches(daemon.pid), cpu(daemon.pid)
        time.sleep(seconds)
        return {
            f"context switches, {programs} programs, {seconds:.0f} s": _switches(daemon.pid) - switches,
            f"CPU, {programs} programs, {seconds:.0f} s": cpu(daemon.pid) - spent,
            f"memory (MiB), {programs} programs": memory(daemon.pid),
        }


def status(subject: Subject, counts: tuple[int, ...] = (100, 1000), rounds: int = 9) -> dict[str, float]:
    """The status command, from exec to its end."""
    found: dict[str, float] = {}
    for count in counts:
        times: list[float] = []
        with running(subject, [Program(f"p{number}", SLEEP) for number in range(count)]) as daemon:
            daemon.wait_until_it_answers()
            # Both have started everything by then.
            time.sleep(2 + count / 50)
            command = subject.status_command(daemon.directory)
            for _ in range(rounds):
                begin = time.monotonic()
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=ENVIRONMENT)
                times.append(time.monotonic() - begin)
        found[f"ctl status of {count} programs"] = statistics.median(times)
    return found


def _switches(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MiB of resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)
