"""What becomes of programs when the daemon is killed, and what the next daemon does about the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, children_of, eventually, lives, python, steadily

SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'
LEAVE = '[supervisor]\non_daemon_death = "leave"\n'
FAMILY = (
    python(
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0: print(os.getpid(), flush=True)\n"
        "time.sleep(3600)\n"
    )
    + "\nstartsecs = 0\nstopwaitsecs = 0.3\nkillasgroup = true\n"
)


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


@pytest.mark.fault("S1")
def test_programs_end_with_the_daemon(daemon: Callable[..., Daemon]) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nnumprocs = 3\n[programs.f]\n{FAMILY}")
    grandchild = int(eventually(lambda: running.ctl("tail", "f").stdout.strip(), "the grandchild"))
    pids = [process.pid for process in running.processes().values()]
    assert set(children_of(running.pid)) == set(pids), "the guardian is nobody's child"
    (guardian,) = guardians_of(running)
    assert os.getsid(guardian) != os.getsid(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.popen.wait()
    eventually(lambda: not any(map(lives, [*pids, grandchild])), "all of them are gone")
    eventually(lambda: not guardians_of(running), "and the guardian")


def test_a_health_check_ends_with_the_daemon(daemon: Callable[..., Daemon]) -> None:
    running = daemon(
        f"[programs.x]\n{SLEEPER}\n[programs.x.health]\nexec = ['sleep', '3600']\ntimeout = 3600\n"
    )
    eventually(lambda: len(children_of(running.pid)) == 2, "the check runs")
    pids = children_of(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.popen.wait()
    eventually(lambda: not any(map(lives, pids)), "both are gone")


@pytest.mark.fault("S1")
def test_the_guardian_goes_with_the_daemon(daemon: Callable[..., Daemon]) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n")
    (guardian,) = guardians_of(running)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(guardian, number)
    assert guardians_of(running) == [guardian]
    assert running.terminate() == 0
    eventually(lambda: not lives(guardian), "it is gone")


@pytest.mark.fault("S1")
def test_programs_that_are_left_are_ended_by_the_next_daemon(daemon: Callable[..., Daemon]) -> None:
    toml = f"{LEAVE}[programs.x]\n{SLEEPER}\n[programs.f]\n{FAMILY}"
    first = daemon(toml)
    grandchild = int(eventually(lambda: first.ctl("tail", "f").stdout.strip(), "the grandchild"))
    pids = {name: process.pid for name, process in first.processes().items()}
    assert guardians_of(first) == []
    os.kill(first.pid, signal.SIGKILL)
    first.popen.wait()
    steadily(lambda: all(map(lives, [*pids.values(), grandchild])), "they go on")
    second = daemon(toml)
    for name, pid in pids.items():
        assert f"{name}: pid {pid} is left of a daemon that died, ending it" in second.output
    assert not any(map(lives, [*pids.values(), grandchild])), "they are gone before anything starts"
    assert {process.state for process in second.processes().values()} == {"RUNNING"}
    assert second.terminate() == 0
    third = daemon(toml)
    assert "left of a daemon" not in third.output[len(second.output) :]


@pytest.mark.fault("S1")
def test_a_guardian_that_died_as_well(daemon: Callable[..., Daemon]) -> None:
    toml = f"[programs.x]\n{SLEEPER}\n"
    first = daemon(toml)
    pid = first.process("x").pid
    for guardian in guardians_of(first):
        os.kill(guardian, signal.SIGKILL)
    os.kill(first.pid, signal.SIGKILL)
    first.popen.wait()
    assert lives(pid)
    second = daemon(toml)
    assert not lives(pid)
    assert second.wait_for("x", "RUNNING").pid != pid


@pytest.mark.fault("S1")
def test_a_guardian_that_comes_later_than_the_next_daemon(daemon: Callable[..., Daemon]) -> None:
    toml = f"[programs.f]\n{FAMILY}"
    first = daemon(toml)
    grandchild = int(eventually(lambda: first.ctl("tail", "f").stdout.strip(), "the grandchild"))
    pid = first.process("f").pid
    (guardian,) = guardians_of(first)
    os.kill(guardian, signal.SIGSTOP)
    os.kill(first.pid, signal.SIGKILL)
    first.popen.wait()
    assert lives(pid)
    second = daemon(toml)
    assert not lives(pid)
    assert not lives(grandchild)
    assert f"f: pid {pid} is left of a daemon that died, ending it" in second.output
    mine = second.wait_for("f", "RUNNING").pid
    os.kill(guardian, signal.SIGCONT)
    eventually(lambda: len(guardians_of(second)) == 1, "only its own guardian is there")
    steadily(lambda: lives(mine), "what the next daemon has started")


@pytest.mark.fault("S1")
def test_a_second_daemon_never_touches_the_programs_of_a_first_that_lives(
    daemon: Callable[..., Daemon],
) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n")
    pid = running.process("x").pid
    second = subprocess.run(
        [sys.executable, "-m", "kahi", "daemon", "-c", running.config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert f"another daemon with pid {running.pid} uses it" in second.stderr
    eventually(lambda: len(guardians_of(running)) == 1, "its guardian has done its work")
    assert running.process("x").pid == pid
    assert lives(pid)


@pytest.mark.fault("S1")
def test_many_programs_and_reloads_leave_the_record_exact(daemon: Callable[..., Daemon]) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nnumprocs = 20\n")
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


@pytest.mark.fault("S1")
def test_programs_of_a_daemon_in_the_background_end_with_it(
    kahi: Callable[..., subprocess.CompletedProcess[str]], short_tmp: Path
) -> None:
    config, pidfile, log = short_tmp / "kahi.toml", short_tmp / "pid", short_tmp / "log"
    config.write_text(
        f"[programs.x]\n{python('import os, time; print(os.getpid()); time.sleep(3600)')}\n"
        f'stdout_logfile = "{log}"\n[server.unix]\nfile = "{short_tmp}/k.sock"\n'
    )
    done = kahi("daemon", "-d", "-c", str(config), "-p", str(pidfile))
    assert done.returncode == 0, done.stderr
    child = int(eventually(lambda: log.exists() and log.read_text(), "it runs"))
    os.kill(int(pidfile.read_text()), signal.SIGKILL)
    eventually(lambda: not lives(child), "it is gone")


@pytest.mark.fault("S1")
@pytest.mark.needs_strace
def test_without_a_guardian_supervision_goes_on(daemon: Callable[..., Daemon]) -> None:
    """For want of processes there is none: that is told, and whoever comes next ends what is left."""
    toml = f"[programs.x]\n{SLEEPER}\n"
    first = daemon(
        toml, wrapper=["strace", "-qq", "-o", "/dev/null", "-e", "inject=clone:error=EAGAIN:when=1"]
    )
    first.says("there is no guardian: Resource temporarily unavailable")
    pid = first.wait_for("x", "RUNNING").pid
    (inner,) = children_of(first.pid)
    os.kill(inner, signal.SIGKILL)
    first.popen.wait()
    assert lives(pid)
    second = daemon(toml)
    assert not lives(pid)
    assert second.terminate() == 0
