"""What holds of every daemon at the end of every test: while it still runs, and once it is gone.

A test that leaves something behind by intention says so: ``@pytest.mark.breaks("leftovers")``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Final

from kahi_api.client import ClientError
from tests.support import Daemon, eventually, lives

NAMES: Final = frozenset(
    {"answers", "zombies", "instances", "descriptors", "threads", "serials", "leftovers"}
)

PATIENCE: Final = 10.0
"""Seconds in which what was set going at the end of a test has to settle."""

OF_A_PROCESS: Final = {"pidfd": 1, "pipe": 3}
"""Descriptors that each process that is up may have, by kind."""

OF_A_NAME: Final = {"file": 2}
"""Those that each process has in any state: its logs."""

OWN: Final = {"pidfd": 0, "pipe": 5, "file": 8, "anon_inode": 4, "socket": 8}
"""Those that the daemon has of its own: the reserve, the guardian's pipe, the poller, what wakes it up, standard
descriptors, ledger, pid file and log, sockets that it listens at."""

WORKERS: Final = 8
"""Threads of the pool that looks at files and hashes passwords; they wait for more work for a while."""


def check_running(running: Daemon, broken: frozenset[str]) -> None:
    """Fail unless everything about a daemon is as it has to be, or soon is.

    Args:
        broken: names of what a test has broken.
    """
    if running.popen.poll() is not None or "answers" in broken:
        return
    pid = running.listener
    if not pid:
        return
    problems = ["never looked"]

    def is_well() -> bool:
        problems[:] = [text for name, text in _problems(running, pid).items() if name not in broken]
        return not problems or running.popen.poll() is not None

    with contextlib.suppress(AssertionError):
        eventually(is_well, patience=PATIENCE)
    assert running.popen.poll() is not None or not problems, "; ".join(problems)


def check_gone(address: Path, broken: frozenset[str]) -> None:
    """Fail, and end it, if anything is left of the processes of daemons that have ended."""
    mark = f"SUPERVISOR_SERVER_URL=unix://{address}\0".encode()
    deadline = time.monotonic() + PATIENCE
    while left := _marked(mark):
        if "leftovers" in broken or time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert "leftovers" in broken, f"left behind: {left}"
        time.sleep(0.01)


def _problems(running: Daemon, pid: int) -> dict[str, str]:
    """What is wrong, by name."""
    found: dict[str, str] = {}
    try:
        with running.client() as client:
            processes = client.processes()
            serials = [event.serial for event in client.events()]
    except ClientError as error:
        return {"answers": str(error)}
    try:
        children = {seen: lives(child) for child, seen in _children(pid).items()}
        kinds = _descriptors(pid)
        threads = [(task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError as error:
        return {"answers": f"it ended meanwhile: {error}"}
    if zombies := [child for child, alive in children.items() if not alive]:
        found["zombies"] = f"zombies: {zombies}"
    wanted = Counter(process.pid for process in processes if process.pid)
    if wanted != Counter(child for child, alive in children.items() if alive):
        found["instances"] = f"wanted {dict(wanted)}, there are {children}"
    for kind, own in OWN.items():
        allowed = own + OF_A_PROCESS.get(kind, 0) * len(wanted) + OF_A_NAME.get(kind, 0) * len(processes)
        # Each client that is still connected has its other end in a test.
        allowed += _descriptors(os.getpid())["socket"] if kind == "socket" else 0
        if kinds[kind] > allowed:
            found["descriptors"] = (
                f"{kinds[kind]} descriptors of kind {kind}, at most {allowed} are explained"
            )
    if threads.count("kahi-output") != 1 or len(threads) > 2 + WORKERS:
        found["threads"] = f"threads: {threads}"
    gaps = [(before, after) for before, after in pairwise(serials) if after - before != 1]
    if gaps and not (_may_have_passing_events(running) and all(after > before for before, after in gaps)):
        found["serials"] = f"gaps between serials: {gaps}"
    return found


def _may_have_passing_events(running: Daemon) -> bool:
    """Output and ticks have serials too, but are not kept; they are there only if somebody wants them."""
    text = running.config.read_text(encoding="utf-8", errors="replace")
    return "event" in text or any(running.directory.glob("*.dist-info"))


def _children(pid: int) -> dict[int, int]:
    """Pids of the children of a process, and how the process itself knows them."""
    found: dict[int, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for word in (task / "children").read_text().split():
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{word}/status").read_text().splitlines()
                found[int(word)] = int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])
    return found


def _descriptors(pid: int) -> Counter[str]:
    """How many descriptors of each kind a process has."""
    found: Counter[str] = Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            kind = "pidfd" if target.endswith("[pidfd]") else target.partition(":")[0]
            found["file" if kind.startswith("/") else kind] += 1
    return found


def _marked(mark: bytes) -> list[int]:
    """Processes with a variable in their environment."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/environ", "rb", buffering=0) as file:
                    environment = file.read()
                if mark in environment and lives(int(name)):
                    found.append(int(name))
    return found
