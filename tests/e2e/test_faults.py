"""What the system refuses, and what happens all at once."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_api.client import ApiError, ClientError
from tests.support import Daemon, children_of, eventually, lives, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def injecting(*faults: str) -> list[str]:
    """A wrapper that has system calls of the daemon, and only of it, fail."""
    return [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        *(word for fault in faults for word in ("-e", f"inject={fault}")),
    ]


def all_run(running: Daemon) -> bool:
    """Whether every process is RUNNING."""
    return {process.state for process in running.processes().values()} == {"RUNNING"}


def descriptors(pid: int) -> int:
    """How many descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.fault("E7")
@pytest.mark.needs_strace
@pytest.mark.parametrize("error", ["EAGAIN", "ENOMEM"])
def test_a_spawn_that_fails_for_now_is_tried_again(daemon: Start, error: str) -> None:
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nnumprocs = 3\n",
        # Where vfork fails, fork is tried. The first fork of all is that of the guardian.
        wrapper=injecting(f"vfork:error={error}:when=2..3", f"clone:error={error}:when=2..3"),
    )
    running.says(os.strerror(getattr(errno, error)))
    assert running.says("start 1 failed: cannot run", 2).count("start 1 failed: cannot run") == 2
    eventually(lambda: all_run(running), "all run")
    (inner,) = children_of(running.pid)
    assert len(children_of(inner)) == 3
    before = descriptors(inner)
    running.ctl("restart", "all")
    eventually(lambda: descriptors(inner) <= before, "nothing leaks")
    os.kill(inner, signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.fault("R5")
@pytest.mark.needs_strace
def test_a_kernel_without_pidfds(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nnumprocs = 5\n", wrapper=injecting("pidfd_open:error=ENOSYS"))
    eventually(lambda: all_run(running), "all run")
    (inner,) = children_of(running.pid)
    before = {name: process.pid for name, process in running.processes().items()}
    running.wait_for_uptime()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: all(p.state == "RUNNING" and p.pid != before[n] for n, p in running.processes().items()),
        "all are back",
    )
    assert len(children_of(inner)) == 5
    os.kill(inner, signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.fault("R1")
def test_descriptors_that_run_out(daemon: Start) -> None:
    """Some run, the others wait for room; nothing else breaks, and room that comes is used."""
    running = daemon(
        f"[supervisor]\nminfds = 60\n[programs.x]\n{SLEEPER}\nnumprocs = 30\nstartretries = -1\n"
        "backoff = { initial = 1, max = 1 }\n",
        wrapper=["bash", "-c", 'ulimit -n 60; exec "$@"', "bash"],
    )
    eventually(
        lambda: {"RUNNING", "BACKOFF"} == {p.state for p in running.processes().values()}, "some do not fit"
    )
    waiting = [p for p in running.processes().values() if p.state == "BACKOFF"]
    assert all("Too many open files" in process.spawn_error for process in waiting)
    running.ctl("stop", *(p.name for p in running.processes().values() if p.state == "RUNNING"))
    eventually(
        lambda: any(running.process(process.name).state == "RUNNING" for process in waiting),
        "one that waited has room",
    )
    assert running.terminate() == 0


@pytest.mark.fault("R4")
def test_a_daemon_without_memory(daemon: Start, short_tmp: Path) -> None:
    """What a request needs and can not be had fails that request, not supervision, nor the end."""
    log = short_tmp / "log"
    log.write_bytes(b"x" * (1 << 20))
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nstdout_logfile = '{log}'\n",
        # Another arena could still grow: its addresses are reserved.
        environ={"MALLOC_ARENA_MAX": "1"},
    )
    pid = running.wait_for("x", "RUNNING").pid
    running.wait_for_uptime()
    size = int(Path(f"/proc/{running.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.prlimit(running.pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
    tail = running.ctl("tail", "--bytes", str(1 << 20), "x")
    assert tail.returncode == 1
    assert len(tail.stdout) < 1 << 20
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: running.process("x").pid not in (0, pid), "it is back")
    assert running.terminate() == 0


@pytest.mark.fault("R4")
@pytest.mark.needs_strace
def test_a_daemon_that_can_start_no_thread(daemon: Start) -> None:
    """But for the first one, which moves output."""
    running = daemon(f"[programs.x]\n{SLEEPER}\n", wrapper=injecting("clone3:error=EAGAIN:when=2+"))
    pid = running.wait_for("x", "RUNNING").pid
    running.wait_for_uptime()
    assert running.get("/api/v1/openapi.json")["code"] == "SERVER_ERROR"
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: running.process("x").pid not in (0, pid), "it is back")
    os.kill(running.listener, signal.SIGTERM)
    assert running.wait() == 0
    assert "ends with exit code 0" in running.output


@pytest.mark.fault("P6")
def test_children_that_fork_away(daemon: Start) -> None:
    """A program that daemonizes itself has ended, as far as anybody can tell; what it left is reported."""
    code = (
        "import os, time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "print(os.getpid(), flush=True)\ntime.sleep(3600)\n"
    )
    running = daemon(f"[programs.x]\n{python(code)}\nstartretries = 0\nstartsecs = 60\nkillasgroup = true\n")
    assert "ended too quickly: exit status 0" in running.wait_for("x", "FATAL").spawn_error
    escaped = int(eventually(lambda: running.ctl("tail", "x").stdout.strip(), "its last word"))
    assert lives(escaped)
    os.kill(escaped, signal.SIGKILL)
    assert running.terminate() == 0


@pytest.mark.fault("P8")
def test_restarts_in_a_loop_of_what_ends_at_once(daemon: Start) -> None:
    """Whatever meets whatever: nothing raises, and the last word counts."""
    running = daemon(
        f"[programs.quick]\ncommand = 'true'\nautorestart = true\nstartsecs = 0\nstartretries = -1\n"
        f"[programs.x]\n{SLEEPER}\nautorestart = true\n"
    )

    def hammer(action: str, name: str) -> None:
        with running.client() as client:
            for _ in range(60):
                with contextlib.suppress(ApiError):
                    getattr(client, action)(name, **({} if action == "stop" else {"wait": False}))

    threads = [
        threading.Thread(target=hammer, args=(action, name))
        for action in ("restart", "restart", "start", "stop")
        for name in ("quick", "x")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with running.client() as client:
        client.stop("quick") if running.process("quick").pid else None
        client.restart("x")
    assert running.process("x").state == "RUNNING"
    assert "Traceback" not in running.output
    assert running.terminate() == 0


@pytest.mark.fault("P12")
@pytest.mark.needs_strace
def test_no_signal_goes_to_a_pid_that_was_reaped(daemon: Start, short_tmp: Path) -> None:
    """Read from every signal, wait and fork of the daemon, in the order in which they happened."""
    trace = short_tmp / "trace"
    calls = "trace=kill,tgkill,tkill,pidfd_send_signal,wait4,waitid,vfork,clone,clone3,fork"
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nnumprocs = 5\nautorestart = true\nkillasgroup = true\n"
        "[programs.crash]\ncommand = ['sh', '-c', 'sleep 3600 & exit 1']\nnumprocs = 3\nstartretries = -1\n"
        "killasgroup = true\nbackoff = { initial = 0, max = 0 }\n",
        wrapper=["strace", "-qq", "-o", str(trace), "-e", calls, "-e", "signal=none"],
    )
    for _ in range(3):
        for process in running.processes().values():
            if process.name.startswith("x") and process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                with contextlib.suppress(ApiError), running.client() as client:
                    client.restart(process.name, wait=False)
        time.sleep(0.5)
    assert running.ctl("shutdown").returncode == 0
    running.popen.wait()
    ours: set[int] = set()
    sent = 0
    for line in trace.read_text().splitlines():
        if born := re.match(r"(?:vfork|fork|clone3?)\(.*\) += (\d+)$", line):
            ours.add(int(born[1]))
        elif reaped := re.match(r"wait4\(.*\) += (\d+)$", line):
            ours.discard(int(reaped[1]))
        elif signalled := re.match(r"kill\(-?(\d+), (\w+)\)", line):
            sent += 1
            assert int(signalled[1]) in ours, line
        else:
            assert re.match(r"(waitid|wait4)\(|\+\+\+ ", line), line
    assert sent > 20


STRANGER = """
import os, signal, sys
wanted, log = int(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
child = -1
while child != wanted:
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(wanted - 1))
    child = os.fork()
    if child == 0 and os.getpid() != wanted:
        os._exit(0)
    if child == 0:
        os.setsid()
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, lambda number, frame: os.write(log, b"signal %d " % number))
        os.write(log, b"there ")
        while True:
            signal.pause()
    if child != wanted:
        os.waitpid(child, 0)
os.waitpid(child, 0)
"""


@pytest.mark.fault("P12")
@pytest.mark.needs_namespaces
def test_a_stranger_with_the_pid_of_a_program_that_ended_is_left_alone(
    daemon: Start, short_tmp: Path
) -> None:
    toml = f"[programs.x]\n{SLEEPER}\nautorestart = false\nkillasgroup = true\nstopasgroup = true\n"
    running = daemon(toml, wrapper=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    (inner,) = children_of(running.pid)
    pid = running.process("x").pid
    enter = ["nsenter", "--target", str(inner), "--pid", "--mount"]
    subprocess.run([*enter, "sh", "-c", f"kill -9 {pid}"], check=True)
    running.wait_for("x", "EXITED")
    log = short_tmp / "stranger"
    stranger = subprocess.Popen([*enter, sys.executable, "-c", STRANGER, str(pid), str(log)])
    eventually(lambda: log.exists() and log.read_text() == "there ", f"a stranger is process {pid}")
    for order in (["signal", "TERM", "x"], ["stop", "x"]):
        assert "not running" in running.ctl(*order).stdout
    running.write_config(toml + "stopsignal = 'HUP'\nenvironment = { A = '1' }\n")
    assert running.ctl("update").returncode == 0
    assert running.process("x").pid not in (0, pid)
    assert running.ctl("restart", "x").returncode == 0
    assert stranger.poll() is None
    os.kill(inner, signal.SIGTERM)
    assert running.wait() == 0
    stranger.wait(10)
    assert log.read_text() == "there "


MEMORY = Path("/sys/fs/cgroup/memory")


@pytest.mark.fault("P14")
@pytest.mark.needs_root
def test_a_program_that_the_oom_killer_takes(daemon: Start) -> None:
    if not (MEMORY / "memory.limit_in_bytes").exists():
        pytest.skip("needs a cgroup of memory, version 1")
    running = daemon(
        f"[programs.hog]\n{python('input(); hog = bytes(range(256)) * (1 << 20); input()')}\n"
        f"startsecs = 0\noom_score_adj = 500\n"
    )
    pid = running.wait_for("hog", "RUNNING").pid
    running.wait_for_uptime()
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == 500
    group = MEMORY / f"kahi-{pid}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text("64M")
        (group / "cgroup.procs").write_text(str(pid))
        with running.client() as client:
            client.send("hog", b"now\n")
        back = eventually(
            lambda: [p for p in [running.process("hog")] if p.state == "RUNNING" and p.pid != pid],
            "it is back",
        )[0]
        assert (back.exit_signal, back.exitstatus, back.restarts) == ("SIGKILL", 137, 1)
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            os.kill(int(left), signal.SIGKILL)
        eventually(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
    assert running.terminate() == 0


@pytest.mark.fault("P15")
def test_many_that_crash_again_and_again_cost_next_to_nothing(daemon: Start) -> None:
    running = daemon("[programs.x]\ncommand = 'false'\nnumprocs = 50\nstartretries = 2\nautostart = false\n")

    def ticks() -> int:
        return sum(map(int, Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    before = ticks()
    running.ctl("start", "--no-wait", "all")
    eventually(lambda: {p.state for p in running.processes().values()} == {"FATAL"}, "all have given up")
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 2
    assert running.says(": given up: ", 50).count(": given up: ") == 50


@pytest.mark.fault("R1")
@pytest.mark.needs_strace
def test_connections_that_can_not_be_accepted_for_now(daemon: Start) -> None:
    """The API pauses for a second, supervision does not."""
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nautorestart = true\n", wrapper=injecting("accept4:error=EMFILE:when=3..4")
    )
    pid = running.wait_for("x", "RUNNING").pid
    running.wait_for_uptime()
    (inner,) = children_of(running.pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: running.process("x").pid not in (0, pid), "it is back, and that is told")
    for _ in range(5):
        assert running.answers()
    os.kill(inner, signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.fault("P8", "C5", "S7")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_anything_at_any_time(daemon: Start, seed: int) -> None:
    """Signals, requests, reloads and deaths, mixed; and at the end everything is as the files say."""
    dice = random.Random(seed)
    stubborn = "command = ['sh', '-c', 'trap \"\" TERM; while :; do sleep 0.1; done']\nstopwaitsecs = 0.2\n"

    def config(size: int) -> str:
        groups = '[groups.g]\nprograms = ["a", "b"]\n' if size % 2 else ""
        return (
            f"[programs.a]\n{SLEEPER}\nnumprocs = {size}\nprocess_name = 'a%(process_num)d'\nautorestart = true\n"
            f"[programs.b]\n{SLEEPER}\nautorestart = true\numask = '0{size}2'\ndepends_on = {{ c = 'running' }}\n"
            f"[programs.c]\n{stubborn}startsecs = 0\nautorestart = true\nkillasgroup = true\n{groups}"
        )

    running = daemon(config(3))
    size = 3
    end = time.monotonic() + 12
    while time.monotonic() < end:
        match dice.randrange(9):
            case 0 | 1:
                with contextlib.suppress(ProcessLookupError, IndexError):
                    os.kill(dice.choice(children_of(running.pid)), dice.choice([9, 15, 19, 18, 11]))
            case 2:
                size = dice.randrange(1, 7)
                running.write_config(config(size))
                running.signal(signal.SIGHUP)
            case 3:
                running.config.write_text("[programs.broken")
                running.signal(signal.SIGHUP)
            case 4:
                for _ in range(20):
                    running.signal(signal.SIGHUP)
            case 5:
                running.signal(dice.choice([signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGSEGV]))
            case operation:
                with contextlib.suppress(ClientError), running.client() as client:
                    action = (client.start, client.stop, client.restart)[operation - 6]
                    action(dice.choice(["a0", "b", "c"]), wait=False)
        time.sleep(dice.random() / 20)
    running.write_config(config(4))

    def settled() -> bool:
        with contextlib.suppress(ClientError), running.client() as client:
            client.update()
            for process in client.processes():
                if process.state in ("STOPPED", "FATAL", "EXITED"):
                    with contextlib.suppress(ClientError):
                        client.start(process.name, wait=False)
        for child in children_of(running.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)
        time.sleep(0.3)
        found = running.processes()
        return set(found) == {"a0", "a1", "a2", "a3", "b", "c"} and all_run(running)

    eventually(settled, f"all run, seed {seed}", 60)

    def is_whole() -> bool:
        # Asked anew each time: a restart that nobody waited for may still come.
        pids = {process.pid for process in running.processes().values()}
        return len(pids) == 6 and set(children_of(running.pid)) == pids

    eventually(is_whole, "exactly one instance of everything")
    base = descriptors(running.pid)
    running.ctl("restart", "all")
    eventually(lambda: all_run(running), "all run")
    eventually(lambda: descriptors(running.pid) <= base, "no descriptor leaks")
    assert "Traceback" not in running.output
    pids = [process.pid for process in running.processes().values()]
    assert running.terminate() == 0
    assert not any(map(lives, pids))
