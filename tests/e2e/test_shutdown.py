"""The end of the daemon, and its modes."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_api.client import ApiError
from tests.support import Daemon, eventually, install_plugin, lives, python, steadily

Start = Callable[..., Daemon]
Run = Callable[..., subprocess.CompletedProcess[str]]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'
STUBBORN = python(
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(1)\ntime.sleep(3600)\n"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_that_end(daemon: Start, number: int) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n")
    pid = running.wait_for("x", "RUNNING").pid
    running.signal(number)
    assert running.wait() == 0
    assert not lives(pid)


@pytest.mark.fault("S7")
def test_all_other_signals_are_harmless(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n")
    pid = running.wait_for("x", "RUNNING").pid
    used = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGSTOP, signal.SIGHUP}
    for _ in range(3):
        for number in signal.valid_signals() - used:
            running.signal(number)
        assert running.answers()
    assert running.process("x").pid == pid
    assert running.ctl("restart", "x").stdout == "x: restarted\n"


EARLY = """
import os, signal
from kahi.hookspecs import hookimpl

@hookimpl
def kahi_setup(ctx):
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.fault("S7")
def test_a_signal_that_comes_before_anything_listens_is_not_lost(daemon: Start, short_tmp: Path) -> None:
    mark = short_tmp / "mark"
    running = daemon(
        f'[programs.x]\ncommand = "touch {mark}"\noneshot = true\n',
        environ=install_plugin(short_tmp, "early", EARLY),
        wait=False,
    )
    assert running.wait() == 0
    assert "shutting down: SIGTERM" in running.output
    assert not mark.exists()


IMPATIENT = """
import os, signal
from kahi.hookspecs import hookimpl

starting = 0

@hookimpl
def kahi_event(event):
    global starting
    if event.type == "PROCESS_STATE_STARTING":
        starting += 1
        if starting == 1:
            os.kill(os.getpid(), signal.SIGTERM)
    elif event.type == "SUPERVISOR_STATE_STOPPING":
        starting = 0
"""


@pytest.mark.fault("S7")
def test_a_shutdown_ends_a_start_that_is_under_way(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        f'[supervisor]\nlog_level = "debug"\n[programs.x]\n{SLEEPER}\nnumprocs = 1000\n'
        'stdout_logfile = "/dev/null"\nstderr_logfile = "/dev/null"\n',
        environ=install_plugin(short_tmp, "impatient", IMPATIENT),
        wait=False,
    )
    assert running.wait() == 0
    before, _, after = running.output.partition("shutting down: SIGTERM")
    assert before.count(": STARTING") < 1000
    assert ": STARTING" not in after
    assert "killed, it was still" not in running.output


BLOCKING = """
import time
from kahi.hookspecs import hookimpl

calls = 0

@hookimpl
def kahi_validate_config(config):
    global calls
    calls += 1
    if calls > 1:
        print("blocked", flush=True)
        time.sleep(3600)
    return []
"""


@pytest.mark.fault("S7", "W4")
def test_a_thread_that_hangs_does_not_hold_up_the_end(daemon: Start, short_tmp: Path) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n", environ=install_plugin(short_tmp, "block", BLOCKING))
    pid = running.wait_for("x", "RUNNING").pid
    running.signal(signal.SIGHUP)
    eventually(lambda: "blocked" in running.output, "a reload that hangs")
    assert running.terminate() == 0
    assert not lives(pid)


def test_no_child_outlives_a_daemon_that_fails(daemon: Start) -> None:
    code = (
        "import kahi.supervisor as s\n"
        "from kahi.cli import main\n"
        "boot = s.Supervisor.boot\n"
        "async def fail(self):\n"
        "    await boot(self)\n"
        "    import anyio\n"
        "    while not all(p.pid for p in self.processes.values()): await anyio.sleep(0.01)\n"
        "    print(f\"pids {' '.join(str(p.pid) for p in self.processes.values())}\\n\", end='', flush=True)\n"
        "    raise RuntimeError('never foreseen')\n"
        "s.Supervisor.boot = fail\n"
        "main()\n"
    )
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nnumprocs = 3\n", program=[sys.executable, "-c", code], wait=False
    )
    assert running.wait() == 1
    line = next(line for line in running.output.splitlines() if line.startswith("pids"))
    assert not any(lives(int(pid)) for pid in line.split()[1:])
    assert "never foreseen" in running.output


def test_the_whole_shutdown_is_bounded(daemon: Start) -> None:
    running = daemon(
        f"[supervisor]\nshutdown_timeout = 0.7\n[programs.x]\n{STUBBORN}\nstopwaitsecs = 60\nstartsecs = 0\n"
    )
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    begin = time.monotonic()
    assert running.terminate() == 0
    assert 0.7 <= time.monotonic() - begin < 6


@pytest.mark.fault("S7")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_signals_in_any_order_at_any_time(daemon: Start, seed: int) -> None:
    """From the first moment of the daemon's life on: an end wins, and nothing is left."""
    dice = random.Random(seed)
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nnumprocs = 5\n[programs.y]\n{STUBBORN}\nstopwaitsecs = 0.5\nstartsecs = 0\n",
        wait=False,
    )
    time.sleep(dice.random() * 2)
    ends = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
    numbers = [dice.choice([*ends, signal.SIGHUP, signal.SIGHUP, signal.SIGUSR2]) for _ in range(6)]
    for number in [*numbers, dice.choice(ends)]:
        running.signal(number)
        time.sleep(dice.choice([0, 0, dice.random() / 10]))
    code = running.wait()
    # Before Python has begun to run Kahi, every signal has the effect that it has on any program.
    assert code == 0 or (code < 0 and not running.output), (code, running.output)
    assert "Traceback" not in running.output


@pytest.mark.fault("S7")
def test_a_second_signal_kills_at_once(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{STUBBORN}\nstopwaitsecs = 60\nstartsecs = 0\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    running.signal(signal.SIGTERM)
    running.wait_for("x", "STOPPING")
    begin = time.monotonic()
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert time.monotonic() - begin < 5


def test_during_shutdown_status_is_served_and_nothing_starts(daemon: Start) -> None:
    running = daemon(
        f"[programs.x]\n{STUBBORN}\nstopwaitsecs = 60\nstartsecs = 0\npriority = 9\n[programs.y]\n{SLEEPER}\nautostart = false\n"
    )
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    running.signal(signal.SIGTERM)
    stopping = running.wait_for("x", "STOPPING")
    with running.client() as client:
        assert client.health() == "shutting_down"
        for call in (client.start, client.stop, client.restart):
            with pytest.raises(ApiError) as caught:
                call("y")
            assert (caught.value.status, caught.value.code) == (503, "SHUTTING_DOWN")
    os.kill(stopping.pid, signal.SIGKILL)
    assert running.wait() == 0


def test_a_crash_during_shutdown_is_not_restarted(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    running = daemon(
        f"[programs.a]\n{python(f'import time; open(r{str(times)!r}, chr(97)).write(chr(120)); time.sleep(3600)')}\n"
        "startsecs = 0\nautorestart = true\npriority = 1\n"
        f"[programs.z]\n{STUBBORN}\nstopwaitsecs = 60\nstartsecs = 0\npriority = 9\n"
    )
    eventually(lambda: running.ctl("tail", "z").stdout and times.exists(), "both are up")
    running.wait_for_uptime()
    running.signal(signal.SIGTERM)
    last = running.wait_for("z", "STOPPING").pid
    os.kill(running.process("a").pid, signal.SIGKILL)
    running.wait_for("a", "EXITED")
    steadily(lambda: running.process("a").state == "EXITED", "it stays EXITED")
    os.kill(last, signal.SIGKILL)
    assert running.wait() == 0
    assert times.read_text() == "x"


@pytest.mark.parametrize(
    ("rule", "programs", "code"),
    [
        ("any-exited", {"a": "raise SystemExit(7)", "b": None}, 7),
        ("any-fatal", {"a": "!", "b": None}, 1),
        (
            "all-exited",
            {"a": "raise SystemExit(0)", "b": "import time; time.sleep(0.3); raise SystemExit(4)"},
            4,
        ),
        ("any-exited", {"a": "import os; os.kill(os.getpid(), 9)"}, 137),
    ],
)
def test_exit_when(daemon: Start, rule: str, programs: dict[str, str | None], code: int) -> None:
    tables = ""
    for name, program in programs.items():
        command = (
            SLEEPER if program is None else 'command = "/nowhere"' if program == "!" else python(program)
        )
        once = "oneshot = true\nstartretries = 0\n" if program else ""
        once += "exitcodes = [0, 4, 7]\n" if program else ""
        tables += f"[programs.{name}]\n{command}\n{once}"
    if code == 137:
        tables = tables.replace("oneshot = true\n", "startsecs = 0\nautorestart = false\n")
    running = daemon(f'[supervisor]\nexit_when = "{rule}"\n{tables}', wait=False)
    assert running.wait() == code


def test_critical(daemon: Start) -> None:
    running = daemon(
        f"[programs.a]\n{python('import time; time.sleep(0.5); raise SystemExit(5)')}\n"
        "startsecs = 0\nautorestart = false\ncritical = true\n"
        f"[programs.b]\n{SLEEPER}\n",
        wait=False,
    )
    assert running.wait() == 5
    assert "a is EXITED and it is critical" in running.output


@pytest.mark.fault("C5")
def test_repeated_sighups_coalesce(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n")
    for _ in range(200):
        running.signal(signal.SIGHUP)
    running.says("reloaded: nothing changed")
    time.sleep(0.5)
    assert running.output.count("reloaded: nothing changed") < 100
    assert running.answers()


def test_sigusr2_reopens_logs(daemon: Start, short_tmp: Path) -> None:
    log, moved = short_tmp / "log", short_tmp / "moved"
    code = "import time\nfor n in range(100000):\n    print(n); time.sleep(0.005)\n"
    running = daemon(f"[programs.x]\n{python(code)}\nstdout_logfile = '{log}'\n")
    eventually(lambda: log.exists() and log.read_text(), "some lines")
    log.rename(moved)
    running.signal(signal.SIGUSR2)
    eventually(lambda: log.exists() and len(log.read_text()) > 20, "lines in the new file")
    running.terminate()
    numbers = [int(line) for line in (moved.read_text() + log.read_text()).split()]
    assert numbers == list(range(len(numbers)))


def test_a_daemon_that_can_not_start_tells_the_shell(kahi: Run, short_tmp: Path) -> None:
    config = short_tmp / "kahi.toml"
    config.write_text(f'[supervisor]\ndirectory = "/nowhere"\n[server.unix]\nfile = "{short_tmp}/k.sock"\n')
    done = kahi("daemon", "-d", "-c", str(config))
    assert (done.returncode, done.stderr) == (
        1,
        "kahi: cannot change to /nowhere: No such file or directory\n",
    )


@pytest.mark.fault("S3")
def test_a_stale_pid_file_is_replaced(daemon: Start, short_tmp: Path) -> None:
    pidfile = short_tmp / "pid"
    pidfile.write_text("999999\n")
    running = daemon("", "-p", str(pidfile))
    assert int(pidfile.read_text()) == running.pid
    running.says("replaced the stale pid file")
    assert pidfile.stat().st_mode & 0o777 == 0o644
    running.terminate()
    assert not pidfile.exists()


@pytest.mark.fault("S3")
def test_a_pid_that_belongs_to_somebody_else_now_is_stale(daemon: Start, short_tmp: Path) -> None:
    pidfile = short_tmp / "pid"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pidfile.write_text(f"{stranger.pid}\n")
        running = daemon(f'[supervisor]\npidfile = "{pidfile}"\n')
        assert int(pidfile.read_text()) == running.pid
        stranger.kill()


@pytest.mark.fault("S2", "S3")
def test_of_two_daemons_with_one_pid_file_one_starts(short_tmp: Path) -> None:
    pidfile = short_tmp / "pid"
    pidfile.write_text("999999\n")
    daemons: list[Daemon] = []
    for number in range(4):
        place = short_tmp / str(number)
        place.mkdir()
        daemons.append(Daemon(place, "", ["-p", str(pidfile)], wait=False))
    try:
        eventually(
            lambda: (
                sum(one.popen.poll() is None for one in daemons) == 1
                and all("is up with pid" in one.output for one in daemons if one.popen.poll() is None)
            ),
            "one is left",
        )
        (left,) = (one for one in daemons if one.popen.poll() is None)
        assert int(pidfile.read_text()) == left.pid
        for one in daemons:
            if one is not left:
                assert one.popen.returncode == 1
                assert "already running with pid" in one.output
        os.kill(left.pid, signal.SIGKILL)
        left.popen.wait()
        assert pidfile.exists()
        again = short_tmp / "again"
        again.mkdir()
        daemons.append(Daemon(again, "", ["-p", str(pidfile)]))
        daemons[-1].says(f"replaced the stale pid file {pidfile} (pid {left.pid})")
    finally:
        for one in daemons:
            one.end()


@pytest.mark.needs_root
def test_a_pid_file_in_a_directory_of_root_is_emptied(daemon: Start, short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    place = short_tmp / "run"
    place.mkdir(mode=0o755)
    running = daemon("", "-u", "nobody", "-p", str(place / "pid"))
    assert int((place / "pid").read_text()) == running.pid
    assert running.terminate() == 0
    assert (place / "pid").read_text() == ""


HESITANT = """
import os, time
from kahi.hookspecs import hookimpl

@hookimpl
def kahi_setup(ctx):
    open(os.environ["MARK"] + ".there", "w").close()
    while not os.path.exists(os.environ["MARK"] + ".go"):
        time.sleep(0.01)
"""


def test_a_daemon_starts_also_when_nobody_waits_for_it_any_more(short_tmp: Path) -> None:
    config, pidfile, mark = short_tmp / "kahi.toml", short_tmp / "pid", short_tmp / "mark"
    config.write_text(f'[programs.x]\n{SLEEPER}\n[server.unix]\nfile = "{short_tmp}/k.sock"\n')
    shell = subprocess.Popen(
        [sys.executable, "-m", "kahi", "daemon", "-d", "-c", config, "-p", pidfile],
        env={**os.environ, **install_plugin(short_tmp, "hesitant", HESITANT), "MARK": str(mark)},
    )
    eventually(Path(f"{mark}.there").exists, "the daemon is about to start")
    shell.kill()
    shell.wait()
    Path(f"{mark}.go").touch()
    eventually((short_tmp / "k.sock").exists, "it is up")
    pid = int(pidfile.read_text())
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not lives(pid), "it is gone")


def test_limits_that_can_not_be_had_are_told(kahi: Run, short_tmp: Path) -> None:
    config = short_tmp / "kahi.toml"
    config.write_text("[supervisor]\nminfds = 1000000000\n")
    done = kahi("daemon", "-c", str(config))
    assert done.returncode == 1
    assert "minfds = 1000000000 cannot be had: the soft limit is" in done.stderr


def test_minprocs_raises_the_limit(daemon: Start) -> None:
    running = daemon(
        "[supervisor]\nminprocs = 700\n[programs.x]\ncommand = 'cat /proc/self/limits'\noneshot = true\n",
        wrapper=["bash", "-c", 'ulimit -S -u 600; exec "$@"', "bash"],
    )
    running.wait_for("x", "EXITED")
    line = next(line for line in running.ctl("tail", "x").stdout.splitlines() if "Max processes" in line)
    assert line.split()[2] == "700"


def test_limits_are_raised(daemon: Start) -> None:
    running = daemon(
        "[supervisor]\nminfds = 600\n[programs.x]\ncommand = 'sh -c \"ulimit -n\"'\noneshot = true\n",
        wrapper=["sh", "-c", 'ulimit -S -n 500; exec "$@"', "sh"],
    )
    running.wait_for("x", "EXITED")
    assert running.ctl("tail", "x").stdout == "600\n"


@pytest.mark.fault("R1")
def test_many_processes_raise_the_own_limit_and_not_that_of_children(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        "[supervisor]\nminfds = 100\n[programs.x]\ncommand = 'sh -c \"ulimit -n; exec sleep 3600\"'\nnumprocs = 80\n"
        f"startsecs = 0\nstderr_logfile = '{short_tmp}/log%(process_num)d'\n",
        wrapper=["sh", "-c", 'ulimit -S -n 200; exec "$@"', "sh"],
    )
    eventually(lambda: {p.state for p in running.processes().values()} == {"RUNNING"}, "all 80 run")
    eventually(lambda: running.ctl("tail", "x_79").stdout == "200\n", "the limit of a child")
    # What stays open is above that limit, which is in force for the daemon as well while a child is spawned.
    named = {int(path.name): os.readlink(path) for path in Path(f"/proc/{running.pid}/fd").iterdir()}
    logs = [number for number, target in named.items() if target.startswith(f"{short_tmp}/log")]
    assert len(logs) == 80
    assert min(logs) >= 200


@pytest.mark.needs_root
def test_a_daemon_that_becomes_somebody_else(daemon: Start, short_tmp: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    running = daemon(
        '[programs.x]\ncommand = ["sh", "-c", "id -u; exec sleep 3600"]\nstartsecs = 0\n', "-u", "nobody"
    )
    eventually(lambda: running.ctl("tail", "x").stdout == f"{nobody.pw_uid}\n", "the child's user")
    status = Path(f"/proc/{running.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert uids == [str(nobody.pw_uid)] * 4
    with contextlib.suppress(FileNotFoundError):
        assert running.socket.stat().st_uid in (0, nobody.pw_uid)
    running.terminate()


@pytest.mark.needs_root
def test_root_without_a_user_is_warned(daemon: Start) -> None:
    assert daemon("").says("running as root").count("running as root") == 1


@pytest.mark.needs_root
def test_an_unknown_user_is_refused(daemon: Start) -> None:
    running = daemon("", "-u", "nobody-at-all", wait=False)
    assert running.wait() == 1
    assert "nobody-at-all: no such user" in running.output


def test_children_do_not_outlive_a_failed_start(short_tmp: Path) -> None:
    running = Daemon(
        short_tmp, f'[supervisor]\nrequired_plugins = ["nothing"]\n[programs.x]\n{SLEEPER}\n', wait=False
    )
    assert running.wait() == 1
    assert "required plugin 'nothing' is not installed" in running.output


@pytest.mark.fault("S5")
def test_closed_standard_descriptors(daemon: Start) -> None:
    running = daemon(
        f"[programs.x]\n{python('print(1)')}\noneshot = true\n",
        wrapper=[
            sys.executable,
            "-c",
            "import os, sys; [os.close(fd) for fd in (0, 1, 2)]; os.execv(sys.argv[1], sys.argv[1:])",
        ],
    )
    running.wait_for("x", "EXITED")
    assert running.ctl("tail", "x").stdout == "1\n"
