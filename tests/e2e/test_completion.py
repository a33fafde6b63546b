"""Completion in real shells, with names from a daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi.cli.completion import SCRIPTS, cut_off, split_line
from tests.support import Daemon
from tests.terminal import Terminal

Start = Callable[..., Daemon]

NAMES = """
[programs.web]
command = "sleep 3600"
[programs.worker]
command = "sleep 3600"
numprocs = 2
"""


@pytest.fixture
def program(short_tmp: Path) -> dict[str, str]:
    """An environment in which `kahi` is this one."""
    directory = short_tmp / "bin"
    directory.mkdir()
    wrapper = directory / "kahi"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m kahi "$@"\n')
    wrapper.chmod(0o755)
    home = short_tmp / "home"
    home.mkdir()
    return {"PATH": f"{directory}:{os.environ['PATH']}", "HOME": str(home)}


def needs(shell: str) -> pytest.MarkDecorator:
    """Leaves a test out where there is no such shell."""
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"needs {shell}")


def answers(environ: dict[str, str], shell: str, *words: str) -> list[str]:
    """What a completion script is answered."""
    done = subprocess.run(
        ["kahi", *words],
        env={**os.environ, **environ, "_KAHI_COMPLETE": shell},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(environ: dict[str, str], line: str) -> list[str]:
    """What bash offers for a line, by the function that the script defines."""
    script = (
        'eval "$(kahi completion bash)"\n'
        f"COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}\n"
        "_kahi kahi 2>/dev/null\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
        "complete -p kahi >&2\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == "complete -F _kahi kahi\n"
    return done.stdout.split()


@needs("bash")
def test_bash(daemon: Start, program: dict[str, str]) -> None:
    running = daemon(NAMES)
    program["KAHI_SOCKET"] = str(running.socket)
    assert in_bash(program, "kahi c") == ["check", "completion", "ctl"]
    assert in_bash(program, "kahi ctl sta") == ["status", "start"]
    assert in_bash(program, "kahi ctl start w") == ["web", "worker_0", "worker_1", r"worker:\*"]
    # bash has split at the colon, and keeps what stands before it.
    assert in_bash(program, "kahi ctl start worker:") == [r"\*", "worker_0", "worker_1"]
    assert in_bash(program, "kahi ctl status --j") == ["--json"]
    assert in_bash(program, "kahi ctl signal US") == ["USR1", "USR2"]
    assert in_bash(program, "kahi ctl tail web std") == ["stdout", "stderr"]
    assert in_bash(program, f"kahi ctl -s {running.socket} pid we") == ["web"]
    assert in_bash(program, "kahi ctl add wor") == ["worker"]
    assert in_bash(program, "kahi ctl events --types process_state_f") == ["PROCESS_STATE_FATAL"]
    assert in_bash(program, "kahi completion p") == ["powershell"]
    assert in_bash(program, 'kahi ctl start "we') == ["web"]


@needs("fish")
def test_fish(daemon: Start, program: dict[str, str]) -> None:
    program["KAHI_SOCKET"] = str(daemon(NAMES).socket)

    def offered(line: str) -> dict[str, str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"kahi completion fish | source; complete -C {line!r}"],
            env={**os.environ, **program},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return dict(each.partition("\t")[::2] for each in done.stdout.splitlines())

    assert set(offered("kahi ctl st")) == {"status", "start", "stop"}
    assert offered("kahi ctl start wor").keys() == {"worker_0", "worker_1", "worker:*"}
    assert offered("kahi ctl pid we")["web"] in ("STARTING", "RUNNING")
    assert set(offered("kahi ctl status --no")) == {"--no-color"}
    assert "/etc/passwd" in offered("kahi ctl status -c /etc/passw")


@needs("zsh")
def test_zsh(
    daemon: Start, program: dict[str, str], terminal: Callable[..., Terminal], short_tmp: Path
) -> None:
    program["KAHI_SOCKET"] = str(daemon(NAMES).socket)
    shown = terminal(["zsh", "-f"], {**program, "PROMPT": "ready> "})
    shown.send(
        f'autoload -Uz compinit && compinit -u -d {short_tmp}/dump; eval "$(kahi completion zsh)"; echo lo""aded\n'
    )
    shown.wait_for("loaded")
    shown.send("print kahi; kahi ctl status --no\t")
    shown.wait_for("--no-color")
    shown.send("\x15kahi ctl start worker:\t\t")
    listed = shown.wait_for("worker:worker_1.*RUNNING|worker:worker_1.*STARTING")
    assert "worker:*" in listed
    shown.send("\x15kahi ctl stop we\t")
    shown.wait_for("stop web")


def test_powershell_by_its_answers(daemon: Start, program: dict[str, str]) -> None:
    """There is no PowerShell to try here; the script is plain, and its answers are these."""
    program["KAHI_SOCKET"] = str(daemon(NAMES).socket)
    script = subprocess.run(
        ["kahi", "completion", "powershell"],
        env={**os.environ, **program},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert script.startswith("Register-ArgumentCompleter -Native -CommandName kahi")
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")
    assert "_KAHI_COMPLETE" in script
    assert {line.partition("\t")[0] for line in answers(program, "powershell", "ctl", "pid", "w")} == {
        "web",
        "worker_0",
        "worker_1",
        "worker:*",
    }
    assert "status\tShow processes: all, or those that are named." in answers(
        program, "powershell", "ctl", '""'
    )


def test_without_a_daemon_there_is_silence_at_once(program: dict[str, str], short_tmp: Path) -> None:
    program["KAHI_SOCKET"] = str(short_tmp / "none")
    for shell in SCRIPTS:
        words = ("kahi ctl start ", " :=") if shell == "bash" else ("ctl", "start", "")
        assert answers(program, shell, *words) == []
    assert answers(program, "fish", "ctl", "start", "--no") == ["--no-wait\tDo not wait for the result."]
    # A script that asks in a way of its own is no reason to speak up.
    assert answers(program, "bash") == []


def test_a_daemon_that_hangs_is_not_waited_for(
    daemon: Start, program: dict[str, str], short_tmp: Path
) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        path = str(short_tmp / "hangs")
        listener.bind(path)
        listener.listen()
        program["KAHI_SOCKET"] = path
        begin = time.monotonic()
        assert answers(program, "fish", "ctl", "start", "") == []
        assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kahi ctl st", ["kahi", "ctl", "st"]),
        ("kahi ctl ", ["kahi", "ctl", ""]),
        ("  kahi  'a b' \"c d", ["kahi", "a b", "c d"]),
        (r"kahi a\ b api:\*", ["kahi", "a b", "api:*"]),
        ("kahi ''", ["kahi", ""]),
        (
            r"kahi 'a\b' "
            r'"c\"d"',
            ["kahi", r"a\b", 'c"d'],
        ),
        ("", [""]),
    ],
)
def test_lines_are_split_as_a_shell_does(line: str, words: list[str]) -> None:
    assert split_line(line) == words


def test_what_bash_has_split_off() -> None:
    breaks = " \t\n\"'><=;|&(:"
    assert cut_off("worker:wor", breaks) == "worker:"
    assert cut_off("--types=a", breaks) == "--types="
    assert cut_off("web", breaks) == ""
    assert cut_off("worker:wor", " \t\n") == ""
