"""A disk that hangs under the logs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

from benchmarks.subjects import Program, Subject, Unable
from benchmarks.workshop import Gate, Workshop, now

SECONDS = 5.0
RATE = 1000


class Skipped(Exception):
    """This machine can not take this measure; its text says why."""


def frozen(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """The API is asked every 20 ms while the file system with the log of a program is frozen for 5 seconds.

    The program prints 1,000 numbered lines a second before, meanwhile and after. Measured are the slowest
    answer, and how many of the lines are not in the log in the end.
    """
    if not subject.takes_logs:
        raise Unable
    times: list[float] = []
    with _file_system(workshop.directory) as mount:
        gate, log = Gate(workshop.directory), mount / "log"
        command = f"{workshop.child} number {gate.path} {RATE}"
        with workshop.running(subject, [Program("numbers", command, logfile=str(log))]) as daemon:
            daemon.wait_until_it_answers()
            time.sleep(2)
            gate.open()
            time.sleep(1)
            with _freezing(mount):
                until = now() + SECONDS
                while (begin := now()) < until:
                    if not subject.answers(daemon.directory):
                        raise RuntimeError("the API does not answer")
                    times.append(now() - begin)
                    time.sleep(0.02)
            time.sleep(1)
        return {"frozen": max(times), "frozen, lost": _lost(log)}


def _lost(log: Path) -> int:
    """How many lines are missing, the last one included."""
    lines = log.read_text().splitlines()
    ended = "this is the end" in lines
    numbers = {int(line) for line in lines if line.isdigit()}
    return max(numbers) + 1 - len(numbers) + (not ended)


@contextlib.contextmanager
def _file_system(directory: Path) -> Generator[Path]:
    """A small file system in a file; raises `Skipped` where that can not be."""
    tools = [name for name in ("mkfs.ext4", "mount", "umount", "fsfreeze") if not shutil.which(name)]
    if os.geteuid() != 0:
        raise Skipped("freezing a disk needs root")
    if tools:
        raise Skipped(f"freezing a disk needs {', '.join(tools)}")
    image, mount = directory / "disk", directory / "mount"
    mount.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    try:
        _run("mkfs.ext4", "-q", image)
        _run("mount", "-o", "loop", image, mount)
    except subprocess.CalledProcessError as error:
        raise Skipped(f"no file system in a file can be mounted here: {error.stderr.strip()}") from None
    try:
        yield mount
    finally:
        _run("umount", mount)
        image.unlink()


@contextlib.contextmanager
def _freezing(mount: Path) -> Generator[None]:
    """Freeze a file system; a timer thaws it, so that who hangs with it gets free again."""
    _run("fsfreeze", "-f", mount)
    thaw = threading.Timer(SECONDS, lambda: _run("fsfreeze", "-u", mount))
    thaw.start()
    try:
        yield
    finally:
        thaw.join()


def _run(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
