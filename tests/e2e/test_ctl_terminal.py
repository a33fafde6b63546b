"""`kahi ctl` on a terminal: colours, escapes, progress, the shell, and the terminal given back."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, eventually, python
from tests.terminal import Terminal

Start = Callable[..., Daemon]
Shown = Callable[..., Terminal]

SLEEPER = 'command = "sleep 3600"\nstartsecs = 0\n'
SEVERAL = f"[programs.web]\n{SLEEPER}\n[programs.broken]\ncommand = '/nowhere'\n"
SLOW = python(
    "import os, signal, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(4), exit(0)))\n"
    "print('ready', os.getpid(), flush=True)\n"
    "time.sleep(3600)"
)


@pytest.fixture
def ctl(terminal: Shown, short_tmp: Path) -> Callable[..., Terminal]:
    """Runs `kahi ctl` on a terminal, for a daemon."""

    def run(running: Daemon, *arguments: str, **environ: str) -> Terminal:
        return terminal(
            [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), *arguments],
            {"HOME": str(short_tmp), "XDG_STATE_HOME": "", **environ},
        )

    return run


def test_colours_only_where_they_are_wanted(daemon: Start, ctl: Shown) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    running.wait_for("broken", "FATAL")
    colored = ctl(running, "status")
    assert colored.wait() == 3
    assert "\x1b[32mRUNNING\x1b[0m" in colored.text
    assert "\x1b[31mFATAL\x1b[0m" in colored.text
    for arguments, environ in (
        (("status", "--no-color"), {}),
        (("status",), {"NO_COLOR": "1"}),
        (("status",), {"TERM": "dumb"}),
        (("status", "--json"), {}),
    ):
        plain = ctl(running, *arguments, **environ)
        assert plain.wait() == 3
        assert "\x1b" not in plain.text
        assert "FATAL" in plain.text


@pytest.mark.fault("A9")
def test_what_is_printed_does_nothing_to_the_terminal(daemon: Start, ctl: Shown) -> None:
    code = "import os, time; os.write(1, b'a\\tb\\x1b[2J\\x07\\xc3\\xa4\\r\\n'); time.sleep(3600)"
    evil = "name-\x1b[2J"
    running = daemon(f"[programs.web]\n{python(code)}\nstartsecs = 0\n[programs.other]\n{SLEEPER}")
    eventually(lambda: running.ctl("tail", "web").stdout, "the line")
    escaped = ctl(running, "tail", "web")
    assert escaped.wait() == 0
    # The terminal writes a carriage return before each line feed.
    assert escaped.text == "a\tb\\x1b[2J\\x07ä\r\n"
    assert ctl(running, "tail", "--raw", "web").wait_for("ä") is not None
    raw = ctl(running, "tail", "--raw", "web")
    assert raw.wait() == 0
    assert raw.text == "a\tb\x1b[2J\x07ä\r\r\n"
    merged = ctl(running, "tail", "web", "other")
    assert merged.wait() == 0
    assert merged.text == "\x1b[33mweb   | \x1b[0ma\tb\\x1b[2J\\x07ä\r\n"
    unknown = ctl(running, "pid", evil)
    assert unknown.wait() == 1
    assert unknown.text == "kahi: no such process: name-\\x1b[2J\r\n"


def test_following_ends_cleanly_with_ctrl_c(daemon: Start, ctl: Shown) -> None:
    running = daemon(f"[programs.web]\n{SLOW}\nstartsecs = 0\n")
    following = ctl(running, "tail", "-f", "web")
    following.wait_for("ready")
    following.send("\x03")
    assert following.wait() == 130
    assert "Traceback" not in following.text
    assert following.is_cooked()


@pytest.mark.slow
def test_long_work_shows_how_far_it_is(daemon: Start, ctl: Shown) -> None:
    toml = f"[programs.web]\n{SLOW}\nnumprocs = 3\nstartsecs = 0\n"
    running = daemon(toml)

    def all_ready() -> None:
        for number in range(3):
            pid = running.wait_for(f"web_{number}", "RUNNING").pid
            eventually(
                lambda number=number, pid=pid: (
                    f"ready {pid}\n" in running.ctl("tail", f"web_{number}").stdout
                ),
                "it is ready",
            )

    for arguments, line, result in (
        (("restart", "all"), r"restarting: \d of 3, \d s", "web_0: restarted\r\n"),
        (("update",), r"updating(: \d of 3 on their way)?, \d s", "web: changed\r\n"),
        (("stop", "all"), r"stopping: \d of 3, \d s", "web_0: stopped\r\n"),
        (("start", "all"), "", ""),
        (("shutdown",), r"shutting down(: \d process(es)? left)?, \d s", "shut down\r\n"),
    ):
        if arguments == ("start", "all"):
            assert running.ctl(*arguments).returncode == 0
            continue
        all_ready()
        running.write_config(toml + "environment = {A = '1'}\n")
        shown = ctl(running, *arguments)
        shown.wait_for(line)
        assert shown.wait() == 0
        assert f"\r\x1b[2K{result}" in shown.text
        assert not re.search(line, re.split(r"\r\x1b\[2K", shown.text)[-1])


def test_quick_work_shows_nothing(daemon: Start, ctl: Shown) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    stopping = ctl(running, "stop", "web")
    assert stopping.wait() == 0
    assert stopping.text.endswith("web: stopped\r\n")


def test_watching(daemon: Start, ctl: Shown) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    running.wait_for("broken", "FATAL")
    watching = ctl(running, "status", "--watch")
    watching.wait_for("2 processes: 1 FATAL, 1 RUNNING")
    assert "\x1b[?1049h" in watching.text
    assert not watching.is_cooked()
    # The clock goes on without anything happening.
    watching.wait_for(r"uptime 0:0\d:\d[2-9]")
    running.ctl("stop", "web")
    watching.wait_for("web +STOPPED.*1 FATAL, 1 STOPPED")
    watching.resize(40, 4)
    watching.wait_for("… 2 more")
    # Nobody says how large it is, as on a terminal that a program made.
    watching.resize(0, 0)
    watching.wait_for("2 processes: 1 FATAL, 1 STOPPED")
    watching.send("q")
    assert watching.wait() == 0
    assert watching.is_cooked()
    assert watching.text.endswith("\x1b[?25h\x1b[?1049l")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda watching: watching.send("\x03"), 130),
        (lambda watching: watching.signal(signal.SIGTERM), 143),
        (lambda watching: watching.signal(signal.SIGHUP), 129),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_the_terminal_is_given_back_however_watching_ends(
    daemon: Start, ctl: Shown, end: Callable[[Terminal], None], code: int
) -> None:
    running = daemon(SEVERAL)
    watching = ctl(running, "status", "--watch")
    watching.wait_for("q ends")
    end(watching)
    assert watching.wait() == code
    assert watching.is_cooked()
    assert watching.text.endswith("\x1b[?25h\x1b[?1049l")
    assert "Traceback" not in watching.text


def test_watching_stops_with_ctrl_z_and_goes_on(daemon: Start, terminal: Shown) -> None:
    running = daemon(SEVERAL)
    shell = terminal(["bash", "--norc", "-i"], {"PS1": "ready> "})
    shell.wait_for("ready> ")
    shell.send(f"{sys.executable} -m kahi ctl -s {running.socket} status --watch\n")
    shell.wait_for("q ends")
    shell.send("\x1a")
    shell.wait_for("Stopped.*ready> ")
    assert "\x1b[?1049l" in shell.text
    before = shell.text.count("\x1b[?1049h")
    shell.send("fg\n")
    shell.wait_for("q ends")
    assert shell.text.count("\x1b[?1049h") == before + 1
    shell.send("q")
    shell.wait_for("ready> ")
    shell.send("exit\n")
    assert shell.wait() == 0


def test_watching_waits_for_the_daemon(daemon: Start, ctl: Shown) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    watching = ctl(running, "status", "--watch", "web", "none")
    watching.wait_for("kahi: no such process: none")
    running.terminate()
    watching.wait_for("kahi: (the daemon has ended|cannot connect)")
    again = daemon(SEVERAL)
    pid = again.wait_for("web", "RUNNING").pid
    watching.wait_for(f"web +RUNNING +{pid}")
    watching.send("q")
    assert watching.wait() == 0


def test_watching_needs_a_terminal(daemon: Start) -> None:
    done = daemon("").ctl("status", "--watch")
    assert (done.returncode, done.stderr) == (1, "kahi: --watch needs a terminal\n")


WITHOUT_PROMPT_TOOLKIT = """
import sys
sys.modules["prompt_toolkit"] = None
from kahi.cli import main
main()
"""


def prompt(shell: Terminal) -> None:
    """Wait until it reads a line, key by key."""
    shell.wait_for("kahi>")
    eventually(lambda: not shell.is_cooked(), "it reads keys")


@pytest.mark.parametrize("library", ["readline", "prompt_toolkit"])
def test_shell_on_a_terminal(daemon: Start, terminal: Shown, short_tmp: Path, library: str) -> None:
    running = daemon(SEVERAL)
    running.wait_for("web", "RUNNING")
    program = ["-m", "kahi"] if library == "prompt_toolkit" else ["-c", WITHOUT_PROMPT_TOOLKIT]
    environ = {"HOME": str(short_tmp), "XDG_STATE_HOME": "", "PROMPT_TOOLKIT_NO_CPR": "1"}
    command = [sys.executable, *program, "ctl", "-s", str(running.socket), "shell"]
    shell = terminal(command, environ)
    prompt(shell)
    shell.send("pid\r")
    shell.wait_for(rf"{running.pid}\r?\n")
    prompt(shell)
    # Completion, with a name from the daemon.
    shell.send("stop we\t")
    shell.wait_for("stop web")
    shell.send("\r")
    shell.wait_for(r"web: stopped")
    prompt(shell)
    # Ctrl-C gives up a line, an error ends nothing.
    shell.send("nonsense\x03")
    prompt(shell)
    shell.send("nonsense\r")
    shell.wait_for(r"no such command: nonsense")
    prompt(shell)
    # Ctrl-C ends a command, not the shell.
    shell.send("tail -f web\r")
    shell.wait_for("tail -f web")
    eventually(lambda: running.ctl("health").stdout == "OK\n", "time passes")
    shell.send("\x03")
    prompt(shell)
    shell.send("\x04")
    assert shell.wait() == 0
    assert shell.is_cooked()
    history = short_tmp / ".local" / "state" / "kahi" / "history"
    assert "stop web" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
    again = terminal(command, environ)
    prompt(again)
    again.send("\x1b[A\x1b[A\x1b[A")
    again.wait_for("stop web")
    again.send("\x03")
    prompt(again)
    again.send("exit\r")
    assert again.wait() == 0


def test_a_shell_whose_history_can_not_be_kept(daemon: Start, terminal: Shown, short_tmp: Path) -> None:
    running = daemon("")
    (short_tmp / "file").write_text("")
    shell = terminal(
        [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), "shell"],
        {"XDG_STATE_HOME": str(short_tmp / "file"), "PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    shell.wait_for("kahi: no history: cannot write .*: Not a directory")
    shell.wait_for("kahi>")
    shell.send("exit\r")
    assert shell.wait() == 0
