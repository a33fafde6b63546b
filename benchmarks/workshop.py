"""Where measures are taken: directories, the supervised program, and supervisors that run for a while."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import machine
from benchmarks.subjects import ENVIRONMENT, Program, Subject

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())
"""Where logs go: into memory if possible, so that supervisors are compared and not disks."""

PATIENCE = 120.0


def now() -> float:
    """Seconds on the clock that everything is measured with."""
    return time.perf_counter_ns() / 1e9


class Workshop:
    """A directory for everything, with the supervised program in it.

    Args:
        quick: whether measures are to be content with less.
    """

    def __init__(self, directory: Path, *, quick: bool) -> None:
        self.directory = directory
        self.quick = quick

    @cached_property
    def child(self) -> Path:
        """The supervised program (child.c), or what stands for it where there is no C compiler."""
        program = self.directory / "tools" / "child"
        program.parent.mkdir(exist_ok=True)
        compile_ = ["cc", "-O2", "-static", "-o", program, HERE / "child.c"]
        quiet = subprocess.DEVNULL
        for command in (compile_, [word for word in compile_ if word != "-static"]):
            if shutil.which("cc") and subprocess.run(command, check=False, stderr=quiet).returncode == 0:
                return program
        script = f"#!{sys.executable} -SE\n" + (HERE / "child.py").read_text()
        program.write_text(script)
        program.chmod(0o755)
        return program

    @contextlib.contextmanager
    def running(self, subject: Subject, programs: list[Program]) -> Generator[Running]:
        """Run a supervisor in a directory of its own, and end it."""
        directory = self.directory / subject.name.replace(" ", "-")
        directory.mkdir()
        command = subject.configure(directory, programs)
        with open(directory / "output", "wb") as output:
            begun = now()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=ENVIRONMENT,
            )
        running = Running(self, subject, directory, process, begun)
        try:
            yield running
        finally:
            running.clean_up()
            shutil.rmtree(directory)


@contextlib.contextmanager
def workshop(*, quick: bool) -> Generator[Workshop]:
    """A workshop, and nothing left of it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="kahi-bench-"))
    try:
        yield Workshop(directory, quick=quick)
    finally:
        shutil.rmtree(directory)


@dataclass
class Running:
    """A supervisor under measurement; ``begun`` is when it was executed."""

    workshop: Workshop
    subject: Subject
    directory: Path
    process: subprocess.Popen[bytes]
    begun: float

    @property
    def pid(self) -> int:
        """Of the daemon."""
        return self.process.pid

    def own(self) -> list[int]:
        """All processes of the supervisor, without those that it supervises."""
        return machine.family(self.pid, self.directory, self.workshop.child)

    def end(self) -> None:
        """Ask the daemon to end everything."""
        self.process.send_signal(self.subject.end_signal)

    def wait_until_it_answers(self) -> float:
        """Seconds from exec to the first answer of the API; raises `Unable` when there is none."""
        while not self.subject.answers(self.directory):
            if self.process.poll() is not None or now() > self.begun + PATIENCE:
                raise RuntimeError(f"{self.subject.name} does not answer: {self.output()}")
            time.sleep(0.0005)
        return now() - self.begun

    def output(self) -> str:
        """What the daemon has printed last."""
        return (self.directory / "output").read_text(errors="replace")[-500:]

    def clean_up(self) -> None:
        """End what is left."""
        left = [pid for pid in self.own() if pid != self.pid]
        self.end()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        deadline = now() + 10
        while any(map(_lives, left)) and now() < deadline:
            time.sleep(0.01)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Register:
    """A FIFO into which children write their pids, and which they keep open as long as they live."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "register"
        os.mkfifo(self.path)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._own_end = -1

    def read(self, patience: float = PATIENCE) -> list[int]:
        """The pids that came in last, at least one; none at all once nobody has it open any more."""
        while True:
            ready, _, _ = select.select([self._fd], [], [], patience)
            if not ready:
                raise TimeoutError("no child was started")
            # The last one may let go, and the next one open it, between select and read.
            with contextlib.suppress(BlockingIOError):
                return list(map(int, os.read(self._fd, 65536).split()))

    def keep_open(self) -> None:
        """Never say that all are gone."""
        self._own_end = os.open(self.path, os.O_WRONLY)

    def wait_until_all_are_gone(self) -> None:
        """Until the last child has let go of it."""
        while self.read():
            pass

    def close(self) -> None:
        """Remove it."""
        if self._own_end >= 0:
            os.close(self._own_end)
        os.close(self._fd)
        self.path.unlink()


@contextlib.contextmanager
def register(workshop: Workshop) -> Generator[Register]:
    """A register for the children of one supervisor."""
    found = Register(workshop.directory)
    try:
        yield found
    finally:
        found.close()


class Gate:
    """What children wait at until it is opened."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "gate"
        self._fd = os.open(self.path, os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def open(self) -> None:
        """Let them go on."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)
