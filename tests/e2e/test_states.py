"""The states of a process and what leads from one to the other, through the real program."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, eventually, lives, python, steadily

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"'
SLOW = "startsecs = 3600\n"
"""For programs that end at once: on a busy machine that takes more than a second."""


def counted(path: Path, then: str) -> str:
    """A command that notes the time of each of its starts in a file."""
    return python(f'import time, sys; open("{path}", "a").write(str(time.monotonic()) + chr(10)); {then}')


def starts(path: Path) -> list[float]:
    """The times that `counted` noted."""
    return [float(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_running_after_startsecs(daemon: Start) -> None:
    running = daemon(
        f"[programs.soon]\n{SLEEPER}\nstartsecs = 0\n[programs.later]\n{SLEEPER}\nstartsecs = 3600\n"
    )
    running.wait_for("soon", "RUNNING")
    assert running.process("later").state == "STARTING"
    assert running.ctl("stop", "later").stdout == "later: stopped\n"


@pytest.mark.fault("P8")
@pytest.mark.parametrize("code", [0, 3])
def test_an_end_before_startsecs_is_a_failed_start(daemon: Start, code: int) -> None:
    running = daemon(f"[programs.x]\n{python(f'raise SystemExit({code})')}\nautorestart = false\n{SLOW}")
    found = running.wait_for("x", "BACKOFF")
    assert found.spawn_error.startswith(f"ended too quickly: exit status {code} after ")
    assert found.exitstatus == code


@pytest.mark.fault("P15")
def test_retries_are_used_up_and_never_hot(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(
        f"[programs.x]\n{counted(times, 'sys.exit(1)')}\nstartretries = 2\nbackoff = {{initial = 0}}\n{SLOW}"
    )
    running.wait_for("x", "FATAL")
    seen = starts(times)
    assert len(seen) == 3
    # The interpreter's own start takes a little less or more time each time.
    assert all(b - a > 0.9 for a, b in itertools.pairwise(seen))


def test_no_retry_at_all(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(f"[programs.x]\n{counted(times, 'sys.exit(1)')}\nstartretries = 0\n{SLOW}")
    running.wait_for("x", "FATAL")
    assert len(starts(times)) == 1


def test_retries_for_ever(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(
        f"[programs.x]\n{counted(times, 'sys.exit(1)')}\nstartretries = -1\nbackoff = {{initial = 0, max = 0}}\n{SLOW}"
    )
    eventually(lambda: len(starts(times)) >= 5, "the fifth start")
    assert running.process("x").state in ("STARTING", "BACKOFF")


@pytest.mark.fault("P15")
def test_a_quick_crash_of_a_running_process_is_a_failed_start(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(
        f"[programs.x]\ncommand = ['sh', '-c', 'echo 1 >> {times}; exit 1']\n"
        "startsecs = 0\nstartretries = 1\nautorestart = true\n"
    )
    assert "ended unexpectedly" in running.wait_for("x", "FATAL").spawn_error
    assert len(starts(times)) == 2


def test_start_and_stop_during_backoff(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(f"[programs.x]\n{counted(times, 'sys.exit(1)')}\nbackoff = {{initial = 60}}\n{SLOW}")
    running.wait_for("x", "BACKOFF")
    running.ctl("start", "--no-wait", "x")
    eventually(lambda: len(starts(times)) == 2, "a start at once")
    running.wait_for("x", "BACKOFF")
    assert running.ctl("stop", "x").stdout == "x: stopped\n"
    assert running.process("x").state == "STOPPED"


@pytest.mark.parametrize(
    ("autorestart", "code", "comes_back"),
    [
        ("true", 0, True),
        ('"true"', 0, True),
        ("false", 1, False),
        ('"unexpected"', 0, False),
        ('"unexpected"', 7, False),
        ('"unexpected"', 1, True),
    ],
)
def test_autorestart(daemon: Start, short_tmp: Path, autorestart: str, code: int, comes_back: bool) -> None:
    times = short_tmp / "times"
    then = f"time.sleep(1.1); sys.exit({code})"
    running = daemon(
        f"[programs.x]\n{counted(times, then)}\nstartsecs = 0\nautorestart = {autorestart}\nexitcodes = [0, 7]\n"
    )
    if comes_back:
        eventually(lambda: len(starts(times)) >= 2, "a restart")
        assert running.process("x").restarts >= 1
    else:
        found = running.wait_for("x", "EXITED")
        assert (found.exitstatus, found.exit_signal, found.restarts) == (code, None, 0)
        steadily(lambda: len(starts(times)) == 1, "one start")


def test_restart_delay(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    daemon(
        f"[programs.x]\n{counted(times, 'time.sleep(1.1)')}\n"
        "startsecs = 0\nautorestart = true\nrestart_delay = 1.5\n"
    )
    eventually(lambda: len(starts(times)) >= 2, "a restart")
    first, second = starts(times)[:2]
    assert second - first > 2.4


def test_a_one_shot_may_be_quick_and_is_not_restarted(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(f"[programs.x]\n{counted(times, 'pass')}\noneshot = true\nautorestart = true\n")
    running.wait_for("x", "EXITED")
    assert running.ctl("status", "x").returncode == 0
    assert running.ctl("start", "x").stdout == "x: started\n"
    assert len(starts(times)) == 2


def test_a_one_shot_that_fails_is_tried_again(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(
        f"[programs.x]\n{counted(times, 'sys.exit(1)')}\noneshot = true\nstartretries = 1\nbackoff = {{initial = 0}}\n{SLOW}"
    )
    running.wait_for("x", "FATAL")
    assert len(starts(times)) == 2


@pytest.mark.fault("E6")
def test_errors_that_may_pass_are_tried_again(daemon: Start, short_tmp: Path) -> None:
    program = short_tmp / "program"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with program.open("ab"):
        running = daemon(f'[programs.x]\ncommand = "{program} 3600"\nstartsecs = 0\n')
        assert "Text file busy" in running.wait_for("x", "BACKOFF").spawn_error
    running.wait_for("x", "RUNNING")


def test_an_unwritable_log_file_is_fatal(daemon: Start, short_tmp: Path) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nstdout_logfile = '{short_tmp}/no/log'\n")
    found = running.wait_for("x", "FATAL")
    assert found.spawn_error == f"cannot open log file {short_tmp}/no/log: No such file or directory"


@pytest.mark.fault("E1", "E5")
def test_a_missing_directory_and_an_unknown_user_are_fatal(daemon: Start) -> None:
    running = daemon(
        f'[programs.a]\n{SLEEPER}\ndirectory = "/nowhere"\n[programs.b]\n{SLEEPER}\nuser = "nobody-at-all"\n'
    )
    assert running.wait_for("a", "FATAL").spawn_error == (
        "cannot enter directory /nowhere: No such file or directory"
    )
    assert running.wait_for("b", "FATAL").spawn_error == "cannot become user nobody-at-all: no such user"


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(3600)"


@pytest.mark.fault("P11")
def test_sigkill_after_stopwaitsecs(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{python(STUBBORN)}\nstopwaitsecs = 0.5\nstartsecs = 0\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    begin = time.monotonic()
    assert running.ctl("stop", "x").stdout == "x: stopped\n"
    assert 0.5 <= time.monotonic() - begin < 10
    assert running.process("x").exit_signal == "SIGKILL"


def test_stopwaitsecs_zero_kills_at_once(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{python(STUBBORN)}\nstopwaitsecs = 0\nstartsecs = 0\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    running.ctl("stop", "x")
    assert running.process("x").exit_signal == "SIGKILL"


def test_a_start_while_it_is_being_stopped_names_both_states(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{python(STUBBORN)}\nstopwaitsecs = 30\nstartsecs = 0\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    pid = running.process("x").pid
    running.ctl("stop", "--no-wait", "x")
    running.wait_for("x", "STOPPING")
    assert running.ctl("start", "x").stdout == "x: ERROR (cannot go from STOPPING to STARTING)\n"
    answers: list[str] = []

    def stop() -> None:
        with running.client() as client:
            answers.append(client.stop("x").state)

    second = threading.Thread(target=stop)
    second.start()
    for _ in range(20):
        assert running.process("x").state == "STOPPING"
    assert not answers, "the second stop is answered once the first is done"
    os.kill(pid, signal.SIGKILL)
    second.join()
    assert answers == ["STOPPED"]


def test_stopsignal(daemon: Start) -> None:
    code = "import signal, sys, time; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9)); print(1); time.sleep(3600)"
    running = daemon(f"[programs.x]\n{python(code)}\nstopsignal = 'USR1'\nstartsecs = 0\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it waits for SIGUSR1")
    running.ctl("stop", "x")
    assert running.process("x").exitstatus == 9


def test_a_stopped_process_can_be_stopped(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nstartsecs = 0\n")
    pid = running.wait_for("x", "RUNNING").pid
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    assert running.ctl("stop", "x").stdout == "x: stopped\n"
    assert time.monotonic() - begin < 5


FAMILY = (
    "import os, signal, subprocess, sys, time; {prelude}"
    'subprocess.Popen([sys.executable, "-c", "import os, signal, time; {grandchild}'
    'print(os.getpid(), flush=True); time.sleep(3600)"]); time.sleep(3600)'
)


def family(prelude: str = "", grandchild: str = "") -> str:
    """A program with a grandchild that prints its pid."""
    return python(FAMILY.format(prelude=prelude, grandchild=grandchild))


def grandchild_of(running: Daemon, name: str = "x") -> int:
    """The pid that the grandchild printed."""
    return int(eventually(lambda: running.ctl("tail", name).stdout.strip(), "the grandchild's pid"))


def test_stopasgroup_reaches_grandchildren(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{family()}\nstopasgroup = true\nstartsecs = 0\n")
    grandchild = grandchild_of(running)
    running.ctl("stop", "x")
    assert not lives(grandchild)


def test_without_group_keys_a_grandchild_is_left_alone(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{family()}\nstartsecs = 0\n")
    grandchild = grandchild_of(running)
    running.ctl("stop", "x")
    assert lives(grandchild)
    os.kill(grandchild, signal.SIGKILL)


IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN);"


@pytest.mark.fault("P6", "P11")
@pytest.mark.parametrize("leader_ignores", [False, True])
def test_a_family_that_ignores_sigterm_is_gone_after_stopwaitsecs(
    daemon: Start, leader_ignores: bool
) -> None:
    program = family(IGNORE if leader_ignores else "", IGNORE)
    running = daemon(f"[programs.x]\n{program}\nkillasgroup = true\nstopwaitsecs = 0.7\nstartsecs = 0\n")
    grandchild = grandchild_of(running)
    begin = time.monotonic()
    running.ctl("stop", "x")
    assert 0.7 <= time.monotonic() - begin < 10
    assert not lives(grandchild)


@pytest.mark.fault("P6")
def test_what_a_crashed_leader_leaves_behind_is_ended(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{family()}\nkillasgroup = true\nstartsecs = 0\nautorestart = false\n")
    grandchild = grandchild_of(running)
    os.kill(running.process("x").pid, signal.SIGKILL)
    running.wait_for("x", "EXITED")
    assert not lives(grandchild)


def test_what_leftovers_take_does_not_count_as_life(daemon: Start) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0: time.sleep(3600)\n"
        "os._exit(1)\n"
    )
    running = daemon(
        f"[programs.x]\n{python(code)}\nkillasgroup = true\nstopwaitsecs = 4\nstartsecs = 0\nstartretries = 0\n"
    )
    told = running.wait_for("x", "FATAL").spawn_error
    assert float(told.split()[-2]) < 4, told


@pytest.mark.fault("P5")
def test_a_grandchild_with_the_pipe_does_not_delay_the_exit(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{family()}\nstartsecs = 0\nautorestart = false\n")
    grandchild = grandchild_of(running)
    os.kill(running.process("x").pid, signal.SIGKILL)
    begin = time.monotonic()
    running.wait_for("x", "EXITED")
    assert time.monotonic() - begin < 5
    assert lives(grandchild)
    os.kill(grandchild, signal.SIGKILL)


def test_last_words_are_delivered_before_the_exit_is_told(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    code = 'import os; os.write(1, b"x" * 60000 + b"last words"); os._exit(3)'
    running = daemon(f"[programs.x]\n{python(code)}\nstartretries = 0\nstdout_logfile = '{log}'\n{SLOW}")
    running.wait_for("x", "FATAL")
    assert log.read_bytes().endswith(b"xlast words")


def test_max_memory(daemon: Start) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(0.2); hog = bytearray(80 * 1024 * 1024); time.sleep(3600)"
    running = daemon(
        f'[programs.hog]\n{python(code)}\nmax_memory = "60MB"\nstartsecs = 0\n'
        f'[programs.modest]\n{SLEEPER}\nmax_memory = "60MB"\nstartsecs = 0\n'
    )
    modest = running.wait_for("modest", "RUNNING").pid
    eventually(lambda: running.process("hog").restarts >= 1, "a restart")
    running.says("max_memory is 62914560")
    assert running.process("modest").pid == modest


def test_max_memory_counts_the_whole_tree(daemon: Start) -> None:
    code = (
        "import subprocess, sys, time; "
        'subprocess.Popen([sys.executable, "-c", "import time; hog = bytearray(80 << 20); time.sleep(3600)"]); '
        "time.sleep(3600)"
    )
    running = daemon(
        f'[programs.hog]\n{python(code)}\nmax_memory = "60MB"\nkillasgroup = true\nstartsecs = 0\nstopasgroup = true\n'
    )
    eventually(lambda: running.process("hog").restarts >= 1, "a restart")
    assert "its tree uses" in running.says("max_memory is 62914560")


FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.mark.fault("P10")
@pytest.mark.needs_root
@pytest.mark.slow
def test_an_unkillable_process_holds_up_nobody(daemon: Start) -> None:
    if not (FREEZER / "tasks").exists():
        pytest.skip("needs a freezer of cgroups")
    running = daemon(
        "[supervisor]\nshutdown_timeout = 1\n"
        f"[programs.x]\n{SLEEPER}\nstopwaitsecs = 0.2\nstartsecs = 0\n[programs.y]\n{SLEEPER}\nstartsecs = 0\n"
    )
    pid = running.wait_for("x", "RUNNING").pid
    group = FREEZER / f"kahi-{pid}"
    group.mkdir()
    try:
        (group / "cgroup.procs").write_text(str(pid))
        (group / "freezer.state").write_text("FROZEN")
        assert running.ctl("stop", "x").stdout == f"x: ERROR (pid {pid} outlives SIGKILL)\n"
        assert running.process("x").state == "STOPPING"
        assert running.process("x").description == f"pid {pid} outlives SIGKILL"
        assert running.ctl("stop", "x").returncode == 1, "asking again does not hang"
        running.write_config(f"[programs.y]\n{SLEEPER}\nstartsecs = 0\n")
        running.ctl("update")
        assert set(running.processes()) == {"x", "y"}, "it is not forgotten"
        assert running.ctl("stop", "y").stdout == "y: stopped\n"
        begin = time.monotonic()
        assert running.terminate() == 1
        assert time.monotonic() - begin < 15
        assert f"x: pid {pid} survived SIGKILL and is left behind" in running.output
    finally:
        (group / "freezer.state").write_text("THAWED")
        eventually(lambda: not lives(pid), "it is gone")
        eventually(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


@pytest.mark.fault("P9")
def test_a_process_that_became_frozen_and_thawed_is_stopped_after_all(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{python(STUBBORN)}\nstopwaitsecs = 0.3\nstartsecs = 0\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    os.kill(running.process("x").pid, signal.SIGSTOP)
    assert running.ctl("stop", "x").stdout == "x: stopped\n"


def test_the_last_word_of_operators_counts(daemon: Start) -> None:
    running = daemon(
        "".join(
            f"[programs.{name}]\n{python(STUBBORN)}\nstopwaitsecs = 60\nstartsecs = 0\n" for name in "abc"
        )
    )
    for name in "abc":
        eventually(lambda name=name: running.ctl("tail", name).stdout, "it ignores SIGTERM")
    pids = {name: process.pid for name, process in running.processes().items()}
    with running.client() as client:
        client.restart("a", wait=False)
        client.stop("a", wait=False)
        client.stop("b", wait=False)
        client.restart("b", wait=False)
        client.restart("c", wait=False)
        client.restart("c", wait=False)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    assert running.wait_for("b", "RUNNING").pid != pids["b"]
    assert running.wait_for("c", "RUNNING").pid != pids["c"]
    assert running.wait_for("a", "STOPPED").pid == 0
    steadily(lambda: running.process("a").state == "STOPPED", "it stays STOPPED")


@pytest.mark.fault("R3")
def test_a_daemon_that_was_stopped_itself_tells_no_lies(daemon: Start) -> None:
    """After SIGCONT everything is late: nothing restarts twice, no child fails for it."""
    running = daemon(f"[programs.x]\n{SLEEPER}\nstartsecs = 2\nnumprocs = 3\n")
    eventually(lambda: all(process.pid for process in running.processes().values()), "all were spawned")
    pids = [process.pid for process in running.processes().values()]
    running.signal(signal.SIGSTOP)
    os.kill(pids[0], signal.SIGKILL)
    time.sleep(2.5)
    running.signal(signal.SIGCONT)
    eventually(
        lambda: (
            all(p.state == "RUNNING" for p in running.processes().values())
            and running.process("x_0").pid != pids[0]
        ),
        "all run",
    )
    found = running.processes()
    assert [found["x_1"].pid, found["x_2"].pid] == pids[1:]
    assert [process.restarts for process in found.values()] == [1, 0, 0]
