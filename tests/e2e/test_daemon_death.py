"""What becomes of programs when the daemon is killed, and what the next daemon does about the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Daemon, children_of, eventually, lives, python

SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'
LEAVE = '[supervisor]\non_daemon_death = "leave"\n'
FAMILY = python(
    "import os, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "if os.fork() == 0: print(os.getpid(), flush=True)\n"
    "time.sleep(3600)\n"
)


@pytest.fixture
def start(short_tmp: Path) -> Iterator[Callable[..., Daemon]]:
    started: list[Daemon] = []

    def of(toml: str, **options: object) -> Daemon:
        started.append(Daemon(short_tmp, toml, **options))  # type: ignore[arg-type]
        return started[-1]

    yield of
    for running in started:
        running.end()


def guardians_of(running: Daemon) -> list[int]:
    """Pids of guardians with the command line of this daemon."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "comm").read_text() == "kahi-guardian\n":
                command = (entry / "cmdline").read_bytes()
                if str(running.config).encode() in command and lives(int(entry.name)):
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_programs_end_with_the_daemon(start: Callable[..., Daemon]) -> None:
    running = start(f"[programs.x]\n{SLEEPER}\nnumprocs = 3\n[programs.f]\n{FAMILY}\nstartsecs = 0\n")
    grandchild = int(eventually(lambda: running.ctl("tail", "f").stdout.strip(), "the grandchild"))
    pids = [process.pid for process in running.processes().values()]
    assert set(children_of(running.pid)) == set(pids), "the guardian is nobody's child"
    (guardian,) = guardians_of(running)
    assert os.getsid(guardian) != os.getsid(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.popen.wait()
    eventually(lambda: not any(map(lives, [*pids, grandchild])), "all of them are gone")
    eventually(lambda: not guardians_of(running), "and the guardian")


def test_the_guardian_goes_with_the_daemon(start: Callable[..., Daemon]) -> None:
    running = start(f"[programs.x]\n{SLEEPER}\n")
    (guardian,) = guardians_of(running)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(guardian, number)
    assert guardians_of(running) == [guardian]
    assert running.terminate() == 0
    eventually(lambda: not lives(guardian), "it is gone")


def test_programs_that_are_left_are_ended_by_the_next_daemon(start: Callable[..., Daemon]) -> None:
    toml = f"{LEAVE}[programs.x]\n{SLEEPER}\n[programs.f]\n{FAMILY}\nstartsecs = 0\n"
    first = start(toml)
    grandchild = int(eventually(lambda: first.ctl("tail", "f").stdout.strip(), "the grandchild"))
    pids = {name: process.pid for name, process in first.processes().items()}
    assert guardians_of(first) == []
    os.kill(first.pid, signal.SIGKILL)
    first.popen.wait()
    time.sleep(0.5)
    assert all(map(lives, [*pids.values(), grandchild])), "they go on"
    second = start(toml)
    for name, pid in pids.items():
        assert f"{name}: pid {pid} is left of a daemon that died, ending it" in second.output
    assert not any(map(lives, [*pids.values(), grandchild])), "they are gone before anything starts"
    assert {process.state for process in second.processes().values()} == {"RUNNING"}
    assert second.terminate() == 0
    third = start(toml)
    assert "left of a daemon" not in third.output[len(second.output) :]


def test_a_guardian_that_died_as_well(start: Callable[..., Daemon]) -> None:
    toml = f"[programs.x]\n{SLEEPER}\n"
    first = start(toml)
    pid = first.process("x").pid
    for guardian in guardians_of(first):
        os.kill(guardian, signal.SIGKILL)
    os.kill(first.pid, signal.SIGKILL)
    first.popen.wait()
    assert lives(pid)
    second = start(toml)
    assert not lives(pid)
    assert second.wait_for("x", "RUNNING").pid != pid


def test_a_next_daemon_that_comes_while_the_guardian_is_still_at_work(start: Callable[..., Daemon]) -> None:
    toml = f"[programs.f]\n{FAMILY}\nstartsecs = 0\n"
    first = start(toml)
    grandchild = int(eventually(lambda: first.ctl("tail", "f").stdout.strip(), "the grandchild"))
    pid = first.process("f").pid
    os.kill(first.pid, signal.SIGKILL)
    first.popen.wait()
    assert lives(pid), "it ignores SIGTERM"
    second = start(toml)
    assert not lives(pid)
    assert not lives(grandchild)
    assert f"f: pid {pid} is left of a daemon that died, ending it" in second.output
    mine = second.wait_for("f", "RUNNING").pid
    eventually(lambda: len(guardians_of(second)) == 1, "only its own guardian is there")
    time.sleep(0.5)
    assert lives(mine)


def test_a_second_daemon_never_touches_the_programs_of_a_first_that_lives(
    start: Callable[..., Daemon],
) -> None:
    running = start(f"[programs.x]\n{SLEEPER}\n")
    pid = running.process("x").pid
    second = subprocess.Popen(
        [sys.executable, "-m", "kahi", "daemon", "-c", running.config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: children_of(second.pid), "the second supervises on its own")
    assert lives(pid)
    second.kill()
    second.wait()
    eventually(lambda: len(guardians_of(running)) == 1, "its guardian has done its work")
    assert running.process("x").pid == pid
    assert lives(pid)


def test_many_programs_and_reloads_leave_the_record_exact(start: Callable[..., Daemon]) -> None:
    running = start(f"[programs.x]\n{SLEEPER}\nnumprocs = 20\n")
    for size in (5, 40, 10):
        running.write_config(f"[programs.x]\n{SLEEPER}\nnumprocs = {size}\n")
        running.ctl("update")
        running.ctl("restart", "all")
    pids = [process.pid for process in running.processes().values()]
    assert len(pids) == 10
    with subprocess.Popen(["sleep", "3600"], start_new_session=True) as stranger:
        os.kill(running.pid, signal.SIGKILL)
        running.popen.wait()
        eventually(lambda: not any(map(lives, pids)), "all of them are gone")
        assert stranger.poll() is None
        stranger.kill()
