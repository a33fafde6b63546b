"""`kahi ctl`, command by command, through the real program."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi.cli.entry import CORE, OFFICIAL
from kahi_api.ctl.group import COMMANDS
from tests.support import Daemon, eventually, lives, python

Start = Callable[..., Daemon]
Run = Callable[..., subprocess.CompletedProcess[str]]

SLEEPER = 'command = "sleep 3600"\nstartsecs = 0\n'
SEVERAL = f"""
[programs.web]
{SLEEPER}
[programs.worker]
{SLEEPER}
numprocs = 2
[programs.later]
{SLEEPER}
autostart = false
"""


def follower(running: Daemon, *arguments: str, output: Path | None = None) -> subprocess.Popen[bytes]:
    """`kahi ctl` that runs on; what it prints goes to a pipe or a file."""
    with output.open("wb") if output else contextlib.nullcontext(subprocess.PIPE) as stdout:
        return subprocess.Popen(
            [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
        )


def interrupt(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Press Ctrl-C; exit code and what else was printed."""
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    return process.returncode, output, errors


# Which daemon


def test_options_stand_before_or_behind_the_command(daemon: Start, kahi: Run, short_tmp: Path) -> None:
    running = daemon(SEVERAL)
    socket, config = str(running.socket), str(running.config)
    elsewhere = {"KAHI_SOCKET": str(short_tmp / "none")}
    for arguments in (
        ("ctl", "-s", socket, "pid"),
        ("ctl", "pid", "-s", socket),
        ("ctl", "--socket", socket, "pid"),
        ("ctl", "pid", f"--socket={socket}"),
        ("ctl", "-c", config, "pid"),
        ("ctl", "pid", "--config", config),
    ):
        done = kahi(*arguments, environ=elsewhere)
        assert (done.returncode, done.stdout) == (0, f"{running.pid}\n"), arguments
    assert kahi("ctl", "pid", environ={"KAHI_SOCKET": socket}).stdout == f"{running.pid}\n"
    # The last one counts, as with all options.
    assert kahi("ctl", "-s", "/nowhere", "pid", "-s", socket).returncode == 0
    assert kahi("ctl", "-s", "/nowhere", "status", "-s", socket).returncode == 3


def test_the_configuration_in_the_directory_names_the_socket(
    daemon: Start, kahi: Run, short_tmp: Path
) -> None:
    running = daemon('[server.unix]\nfile = "%(here)s/k.sock"\n')
    os.chmod(short_tmp, 0o755)
    environ = {
        name: value for name, value in os.environ.items() if name not in ("KAHI_SOCKET", "KAHI_CONFIG")
    }
    done = subprocess.run(
        [sys.executable, "-m", "kahi", "ctl", "pid"],
        cwd=short_tmp,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{running.pid}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("ctl", "stats"), "kahi ctl: no such command: stats (did you mean status?)"),
        (("clt", "status"), "kahi: no such command: clt (did you mean ctl?)"),
        (("nonsense",), "kahi: no such command: nonsense (see kahi --help)"),
        (("ctl", "status", "--jsn"), "kahi ctl status: no such option: --jsn (did you mean --json?)"),
        (("ctl", "--wat", "status"), "kahi ctl: no such option: --wat (see kahi ctl --help)"),
        (
            ("completion", "tcsh"),
            "kahi completion: SHELL: 'tcsh' is not one of 'bash', 'zsh', 'fish', 'powershell' (see kahi completion --help)",
        ),
        (("ctl", "start"), "kahi ctl start: NAME... is missing (see kahi ctl start --help)"),
        (("ctl", "signal", "HUP"), "kahi ctl signal: NAME... is missing (see kahi ctl signal --help)"),
        (("ctl", "send", "web"), "kahi ctl send: DATA is missing (see kahi ctl send --help)"),
        (
            ("ctl", "tail", "web", "--bytes", "few"),
            "kahi ctl tail: --bytes: 'few' is not a valid integer range (see kahi ctl tail --help)",
        ),
        (
            ("ctl", "-s", "a", "--addr", "b:1", "status"),
            "kahi ctl status: --socket and --addr exclude each other (see kahi ctl status --help)",
        ),
        (
            ("ctl", "status", "--watch", "--json"),
            "kahi ctl status: --watch and --json exclude each other (see kahi ctl status --help)",
        ),
    ],
)
def test_mistakes_are_one_line(kahi: Run, arguments: tuple[str, ...], line: str) -> None:
    done = kahi(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == line + "\n"


OWN = {*CORE, *OFFICIAL, *COMMANDS}


def test_no_summary_of_a_command_is_cut_off(kahi: Run) -> None:
    for arguments in ((), ("ctl",)):
        commands = kahi(*arguments, environ={"COLUMNS": "80"}).stdout.partition("Commands:")[2]
        own = [line for line in commands.splitlines()[1:] if line.split()[0] in OWN]
        assert len(own) > 5
        assert not [line for line in own if line.endswith("...")]


def test_help_without_arguments_and_by_option(kahi: Run) -> None:
    for arguments in ((), ("--help",), ("-h",), ("ctl",), ("ctl", "--help"), ("ctl", "status", "-h")):
        done = kahi(*arguments)
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: kahi")
    assert re.search(r"\n  ctl +Look at a running daemon and operate it\.", kahi().stdout)


def test_an_address_that_is_none(kahi: Run) -> None:
    for command in ("status", "pid"):
        done = kahi("ctl", "--addr", "localhost:http", command)
        assert done.returncode == 1
        assert done.stderr.startswith("kahi: http://localhost:http is no address (HOST:PORT")


def test_nobody_there(kahi: Run, short_tmp: Path) -> None:
    path = short_tmp / "none"
    for command in ("status", "pid", "health", "shell"):
        done = kahi("ctl", "-s", str(path), command, input="pid\n")
        assert done.returncode == 1
        assert done.stderr == f"kahi: cannot connect to the daemon at {path} (is it running?)\n"
    debug = kahi("ctl", "-s", str(path), "pid", environ={"KAHI_DEBUG": "1"})
    assert "Traceback" in debug.stderr


# Looking


def test_status(daemon: Start) -> None:
    running = daemon(SEVERAL)
    for name in ("web", "worker_0", "worker_1"):
        running.wait_for(name, "RUNNING")
    whole = running.ctl("status")
    assert whole.returncode == 3
    assert re.fullmatch(
        r"NAME +STATE +PID +UPTIME +DESCRIPTION\n"
        r"later +STOPPED +- +-\n"
        r"web +RUNNING +\d+ +0:00:\d\d +pid \d+, uptime 0:00:\d\d\n"
        r"worker_0 +RUNNING .*\nworker_1 +RUNNING .*\n",
        whole.stdout,
    )
    assert running.ctl("status", "web", "worker:*").returncode == 0
    unknown = running.ctl("status", "web", "nothing", "later", "--no-color")
    assert unknown.returncode == 4
    assert unknown.stderr == "kahi: no such process: nothing\n"
    assert [line.split()[0] for line in unknown.stdout.splitlines()] == ["NAME", "later", "web"]
    found = json.loads(running.ctl("status", "--json", "worker_?").stdout)
    assert [each["name"] for each in found] == ["worker_0", "worker_1"]
    assert json.loads(running.ctl("status", "--json", "nothing").stdout) == []
    assert "\x1b" not in whole.stdout
    # What is unusual goes the long way, to the same end.
    assert running.ctl("status", "--json", "--", "web").stdout.count('"name": "web"') == 1


def test_status_of_nothing(daemon: Start) -> None:
    done = daemon("").ctl("status")
    assert (done.returncode, done.stdout) == (0, "no processes are configured\n")


def test_a_closed_pipe_is_no_reason_for_a_traceback(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        "".join(f"[programs.p{number}]\ncommand = 'x'\nautostart = false\n" for number in range(100))
    )
    program = f"{sys.executable} -m kahi"
    for command in (
        f"{program} ctl status | head -1 > /dev/null",
        f"{program} ctl status --json | true",
        f"{program} ctl pid all | true",
        f"{program} init | true",
        f"{program} --help | true",
        f"printf 'status\\nstatus\\n' | {program} ctl shell | true",
    ):
        done = subprocess.run(
            ["bash", "-c", f"{command}; exit ${{PIPESTATUS[-2]}}"],
            env={**os.environ, "KAHI_SOCKET": str(running.socket)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == "", command
        assert done.returncode in (0, 3, 141), command


@pytest.mark.parametrize(
    ("command", "code", "output", "errors"),
    [
        ("version >&-", 0, "", ""),
        ("ctl -s /nowhere pid 2>&-", 1, "", ""),
        ("hash-password <&-", 1, "", "kahi: the password is empty\n"),
        ("ctl -s /nowhere shell <&-", 0, "", ""),
        ("ctl -s /nowhere pid <&- >&- 2>&-", 1, "", ""),
    ],
)
def test_a_standard_stream_that_is_closed(command: str, code: int, output: str, errors: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m kahi {command}", shell=True, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, output, errors)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["version", "--help", "init", "check --schema"])
def test_what_cannot_be_written_is_told_in_one_line(command: str, unbuffered: str) -> None:
    full = subprocess.run(
        f"{sys.executable} -m kahi {command} > /dev/full",
        shell=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 1
    assert re.fullmatch(r"kahi: (cannot write: )?No space left on device\n", full.stderr), full.stderr


def test_pid(daemon: Start) -> None:
    running = daemon(SEVERAL)
    pid = running.wait_for("web", "RUNNING").pid
    assert running.ctl("pid", "web").stdout == f"{pid}\n"
    lines = running.ctl("pid", "all").stdout.split()
    assert len(lines) == 4
    assert lines[:2] == ["0", str(pid)]
    assert len(running.ctl("pid", "worker:*").stdout.split()) == 2
    off = running.ctl("pid", "later")
    assert (off.returncode, off.stderr) == (1, "kahi: later: not running\n")
    assert running.ctl("pid", "none").stderr == "kahi: no such process: none\n"


def test_version_and_health(daemon: Start) -> None:
    running = daemon("")
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", running.ctl("version").stdout)
    done = running.ctl("health")
    assert (done.returncode, done.stdout) == (0, "OK\n")


def test_ready(daemon: Start) -> None:
    running = daemon(
        f"[programs.web]\n{SLEEPER}\n[programs.slow]\ncommand = 'sleep 3600'\nstartsecs = 4\n"
        f"[programs.once]\n{python('print(1)')}\noneshot = true\n[programs.off]\n{SLEEPER}autostart = false\n"
    )
    running.wait_for("once", "EXITED")
    done = running.ctl("ready")
    assert (done.returncode, done.stdout) == (1, "NOT READY: slow (STARTING)\n")
    done = running.ctl("ready", "--process", "web,once")
    assert (done.returncode, done.stdout) == (0, "READY\n")
    done = running.ctl("ready", "--process", "off,web")
    assert (done.returncode, done.stdout) == (1, "NOT READY: off (STOPPED)\n")
    running.wait_for("slow", "RUNNING")
    assert running.ctl("ready").stdout == "READY\n"
    # The long way, by the command itself.
    assert running.ctl("ready", "--process=web").stdout == "READY\n"
    unknown = running.ctl("ready", "--process", "none")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "kahi: no such process: none\n"


def test_events(daemon: Start) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    lines = running.ctl("events").stdout.splitlines()
    assert any(re.fullmatch(r"\S+Z PROCESS_STATE_STARTING web from_state=STOPPED.*", line) for line in lines)
    assert any(line.endswith(" PROCESS_GROUP_ADDED worker added=true") for line in lines)
    only = running.ctl("events", "--types", "process_group,supervisor_state").stdout.splitlines()
    assert {line.split()[1].rpartition("_")[0] for line in only} == {"PROCESS_GROUP", "SUPERVISOR_STATE"}
    found = [json.loads(line) for line in running.ctl("events", "--json").stdout.splitlines()]
    assert [event["serial"] for event in found] == sorted(event["serial"] for event in found)
    following = follower(running, "events", "-f", "--types", "process_state_stopped,process_state_running")
    assert following.stdout is not None
    past = [following.stdout.readline() for _ in range(3)]
    assert all(b" PROCESS_STATE_RUNNING w" in line for line in past)
    running.ctl("stop", "web")
    assert b" PROCESS_STATE_STOPPED web from_state=STOPPING pid=" in following.stdout.readline()
    # It goes on with the next daemon, and says so.
    running.terminate()
    again = daemon(f"[programs.other]\n{SLEEPER}")
    again.wait_for("other", "RUNNING")

    seen = b""

    def follows_again() -> bool:
        nonlocal seen
        again.ctl("restart", "other")
        while select.select([following.stdout], [], [], 1)[0]:
            seen += following.stdout.read1(65536)
        return b" other " in seen

    eventually(follows_again, "an event of the next daemon")
    code, _, errors = interrupt(following)
    assert code == 130
    assert b"waiting for it to come back" in errors


# Operating


def test_operations_on_many(daemon: Start) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    done = running.ctl("stop", "worker:*", "web")
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["web: stopped", "worker_0: stopped", "worker_1: stopped"]
    assert running.ctl("stop", "all").returncode == 0
    done = running.ctl("stop", "web", "later")
    assert done.returncode == 1
    assert done.stdout == "web: ERROR (not running)\nlater: ERROR (not running)\n"
    assert running.ctl("start", "w*").stdout.count(": started\n") == 3
    assert running.ctl("restart", "later").stdout == "later: restarted\n"
    assert running.ctl("start", "worker:worker_1").stdout == "worker_1: ERROR (already started)\n"
    unknown = running.ctl("start", "none", "web")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "kahi: no such process: none\n"
    assert running.ctl("start", "none:*").stderr == "kahi: no such group: none\n"


def test_not_waiting(daemon: Start) -> None:
    running = daemon('[programs.slow]\ncommand = "sleep 3600"\nstartsecs = 3\nautostart = false\n')
    done = running.ctl("start", "slow", "--no-wait")
    assert (done.returncode, done.stdout) == (0, "slow: starting\n")
    assert running.process("slow").state == "STARTING"
    assert running.ctl("restart", "slow", "--no-wait").stdout == "slow: restarting\n"
    assert running.ctl("stop", "slow", "--no-wait").stdout == "slow: stopping\n"
    running.wait_for("slow", "STOPPED")


def test_signal(daemon: Start) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGHUP, lambda *_: print('hup', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)"
    )
    running = daemon(
        f"[programs.web]\n{python(code)}\nstartsecs = 0\n[programs.off]\n{SLEEPER}autostart = false\n"
    )
    eventually(lambda: "ready" in running.ctl("tail", "web").stdout, "it is ready")
    for name in ("HUP", "SIGHUP", "1", "hup"):
        assert running.ctl("signal", name, "web").stdout == "web: signalled\n"
    eventually(lambda: "hup" in running.ctl("tail", "web").stdout, "the signal")
    failed = running.ctl("signal", "HUP", "off")
    assert (failed.returncode, failed.stdout) == (1, "off: ERROR (not running)\n")
    assert running.ctl("signal", "HUP", "all").returncode == 0
    wrong = running.ctl("signal", "NONE", "web")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("kahi: ")
    assert wrong.stderr.count("\n") == 1


def test_groups_and_configuration(daemon: Start) -> None:
    running = daemon(SEVERAL)
    for name in ("web", "worker_0", "worker_1"):
        running.wait_for(name, "RUNNING")
    assert running.ctl("avail").stdout == "later: active\nweb: active\nworker: active\n"
    done = running.ctl("remove", "web", "later")
    assert (done.returncode, done.stdout) == (0, "web: removed\nlater: removed\n")
    assert running.ctl("avail").stdout == "later: not active\nweb: not active\nworker: active\n"
    assert running.ctl("add", "web").stdout == "web: added\n"
    assert running.ctl("add", "web").stderr == "kahi: web: already added\n"
    assert running.ctl("remove", "none").stderr == "kahi: no such group: none\n"
    pattern = running.ctl("remove", "w*")
    assert (pattern.returncode, pattern.stderr) == (1, "kahi: no such group: w*\n")
    assert running.ctl("status", "worker:*").returncode == 0, "nothing was stopped"
    running.write_config(f"[programs.web]\n{SLEEPER}\n[programs.new]\n{SLEEPER}")
    expected = "new: would be added\nlater: would be removed\nworker: would be removed\n"
    assert running.ctl("reread").stdout == expected
    assert running.ctl("reread").stdout == expected
    assert running.ctl("update", "new").stdout == "new: added\n"
    assert running.ctl("reload").stdout == "later: removed\nworker: removed\n"
    assert running.ctl("update", "all").stdout == "nothing changed\n"
    running.write_config("[programs.web]\ncommand = 7\n")
    for command in ("reread", "update", "reload"):
        refused = running.ctl(command)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"{running.config}:2: [programs.web] command: ")


def test_shutdown(daemon: Start) -> None:
    running = daemon(SEVERAL)
    pid = running.wait_for("web", "RUNNING").pid
    done = running.ctl("shutdown", "--no-wait")
    assert (done.returncode, done.stdout) == (0, "shutting down\n")
    assert running.wait() == 0
    assert not lives(pid)


def test_a_second_shutdown_waits_as_well(daemon: Start) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), exit(0)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(3600)"
    )
    running = daemon(f"[programs.web]\n{python(code)}\nstartsecs = 0\n")
    eventually(lambda: "ready" in running.ctl("tail", "web").stdout, "it is ready")
    assert running.ctl("shutdown", "--no-wait").returncode == 0
    assert running.ctl("health").stdout in ("SHUTTING DOWN\n", "")
    done = running.ctl("shutdown")
    if "cannot connect" not in done.stderr:
        assert (done.returncode, done.stdout) == (0, "shut down\n")
    assert running.wait() == 0


# Logs


COUNTER = python("import time\nfor n in range(100000): print('line', n, flush=True); time.sleep(0.02)\n")


def test_tail_shows_as_much_as_is_asked_for(daemon: Start) -> None:
    code = "import sys; sys.stdout.buffer.write(b'x' * 1500000 + bytes(range(256)) + b'end')"
    running = daemon(
        f"[programs.web]\n{python(code)}\noneshot = true\nstdout_logfile = 'web.log'\n"
        f"[programs.both]\n{python('import sys; print(1); print(2, file=sys.stderr)')}\noneshot = true\n"
    )
    for name in ("web", "both"):
        running.wait_for(name, "EXITED")

    def tail(*arguments: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-m", "kahi", "ctl", "-s", running.socket, "tail", *arguments],
            capture_output=True,
            check=True,
        ).stdout

    whole = b"x" * 1500000 + bytes(range(256)) + b"end"
    assert tail("web") == whole[-1600:]
    assert tail("web", "--bytes", "10") == whole[-10:]
    assert tail("web", "--bytes", "0") == b""
    assert tail("web", "--bytes", "1400000") == whole[-1400000:]
    assert tail("web", "--bytes", "9000000") == whole
    assert tail("both", "stderr") == b"2\n"
    assert tail("both", "stdout") == b"1\n"
    assert running.ctl("tail", "none").stderr == "kahi: no such process: none\n"
    assert running.ctl("tail", "both", "none").stderr == "kahi: no such process: none\n"


def test_following_is_exact_over_restarts_of_process_and_daemon(daemon: Start, short_tmp: Path) -> None:
    toml = f"[programs.web]\n{COUNTER}\nstartsecs = 0\nstdout_logfile = '{short_tmp}/web.log'\n"
    running = daemon(toml)
    running.wait_for("web", "RUNNING")
    copy, log = short_tmp / "copy", short_tmp / "web.log"
    following = follower(running, "tail", "-f", "web", "--bytes", "1000000", output=copy)
    eventually(lambda: log.stat().st_size > 500, "some lines")
    running.ctl("restart", "web")
    size = log.stat().st_size
    eventually(lambda: log.stat().st_size > size + 500, "lines after the restart")
    running.terminate()
    size = log.stat().st_size
    again = daemon(toml)
    eventually(lambda: log.stat().st_size > size + 500, "lines of the next daemon")
    again.ctl("stop", "web")
    eventually(lambda: copy.read_bytes() == log.read_bytes(), "the copy is whole")
    code, _, errors = interrupt(following)
    assert code == 130
    assert errors == b"kahi: the daemon has ended; waiting for it to come back\n"


def test_following_bytes_that_are_no_text(daemon: Start, short_tmp: Path) -> None:
    code = "import sys, time; sys.stdin.readline(); sys.stdout.buffer.write(b'a\\rb\\r\\n\\xff\\x00\\xc3!'); sys.stdout.flush(); time.sleep(3600)"
    running = daemon(f"[programs.web]\n{python(code)}\nstartsecs = 0\n")
    running.wait_for("web", "RUNNING")
    copy = short_tmp / "copy"
    following = follower(running, "tail", "-f", "web", output=copy)
    running.ctl("send", "web", "now")
    eventually(lambda: copy.read_bytes() == b"a\rb\r\n\xff\x00\xc3!", "all bytes are there")
    assert interrupt(following)[0] == 130


def test_following_several_merges_their_lines(daemon: Start) -> None:
    running = daemon(
        f"[programs.web]\n{COUNTER}\nstartsecs = 0\n[programs.worker]\n{COUNTER}\nnumprocs = 2\nstartsecs = 0\n"
    )
    for name in ("web", "worker_0", "worker_1"):
        running.wait_for(name, "RUNNING")
    following = follower(running, "tail", "-f", "all", "--bytes", "100000")
    assert following.stdout is not None
    lines = [following.stdout.readline() for _ in range(200)]
    code, rest, errors = interrupt(following)
    assert (code, errors) == (130, b"")
    seen: dict[bytes, int] = {}
    for line in lines + rest.splitlines(keepends=True)[:-3]:
        name, number = re.fullmatch(rb"(web     |worker_0|worker_1) \| line (\d+)\n", line).groups()  # type: ignore[union-attr]
        assert int(number) == seen.get(name, -1) + 1
        seen[name] = int(number)
    assert len(seen) == 3
    merged = running.ctl("tail", "web", "worker_0", "stdout", "--bytes", "20")
    assert merged.returncode == 0
    assert {line.partition(" | ")[0] for line in merged.stdout.splitlines()} == {"web     ", "worker_0"}


def test_following_a_process_that_is_removed_ends(daemon: Start) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    following = follower(running, "tail", "-f", "web")
    time.sleep(1)
    running.ctl("remove", "web")
    eventually(lambda: "web" not in running.processes(), "it is removed")
    running.terminate()
    daemon(f"[programs.other]\n{SLEEPER}")
    _, errors = following.communicate(timeout=20)
    assert following.returncode == 1
    assert errors.splitlines()[-1] == b"kahi: no such process: web"


def test_clear_and_reopen(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "web.log"
    code = "import sys; print('begin', flush=True)\nfor line in sys.stdin: print('got', line, end='', flush=True)"
    running = daemon(
        f"[programs.web]\n{python(code)}\nstdout_logfile = '{log}'\n[programs.ring]\n{python(code)}\n"
    )
    for name in ("web", "ring"):
        eventually(lambda name=name: running.ctl("tail", name).stdout == "begin\n", f"{name} has begun")
    done = running.ctl("clear", "all")
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["ring: cleared", "web: cleared"]
    assert log.read_text() == ""
    assert running.ctl("tail", "ring").stdout == ""
    running.ctl("send", "web", "one")
    eventually(lambda: log.read_text() == "got one\n", "the next line")
    log.rename(short_tmp / "old.log")
    done = running.ctl("reopen")
    assert (done.returncode, done.stdout) == (0, "log files opened anew\n")
    running.ctl("send", "web", "two")
    eventually(lambda: log.exists() and log.read_text() == "got two\n", "the line in a new file")
    assert (short_tmp / "old.log").read_text() == "got one\n"
    assert running.ctl("clear", "none").stderr == "kahi: no such process: none\n"


def test_maintail(daemon: Start) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    shown = running.ctl("maintail")
    assert shown.returncode == 0
    assert "web" in running.ctl("maintail", "--bytes", "100000").stdout
    assert len(running.ctl("maintail", "--bytes", "20").stdout) == 20
    following = follower(running, "maintail", "-f", "--bytes", "0")
    assert following.stdout is not None

    def hears_of_it() -> bool:
        running.ctl("restart", "web")
        return bool(select.select([following.stdout], [], [], 1)[0])

    eventually(hears_of_it, "a line of the log")
    code, output, errors = interrupt(following)
    assert (code, errors) == (130, b"")
    assert b"web" in output


# The shell


def test_shell_from_a_pipe(daemon: Start) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")

    def shell(text: str) -> subprocess.CompletedProcess[str]:
        return running.ctl("shell", input=text)

    done = shell("pid\n# a comment\n\n  pid 'all'\nexit\nversion\n")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5
    failed = shell("stop later\nnonsense\npid\n")
    assert failed.returncode == 2
    assert failed.stdout == f"later: ERROR (not running)\n{running.pid}\n"
    assert failed.stderr == "kahi ctl: no such command: nonsense (see kahi ctl --help)\n"
    assert shell("shell\n").returncode == 2
    assert "Show processes" in shell("help\n").stdout
    assert "Usage: kahi ctl start" in shell("help start\n").stdout
    assert shell("status -s /nowhere\npid\n").stdout == f"{running.pid}\n"
