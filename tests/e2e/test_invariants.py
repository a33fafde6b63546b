"""What is looked at after every test is seen when it is not so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import invariants
from tests.support import Daemon, eventually, install_plugin, lives, python

LEAKY = """
import os, subprocess, threading, time
from kahi.hookspecs import hookimpl

@hookimpl
def kahi_setup(ctx):
    kept.extend(subprocess.Popen(command) for command in (["true"], ["sleep", "3600"]))
    kept.extend(os.pipe() for _ in range(10))
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()

kept = []
"""


@pytest.mark.breaks("zombies", "instances", "descriptors", "threads", "leftovers")
def test_each_is_noticed(
    daemon: Callable[..., Daemon], short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "PATIENCE", 0.5)
    code = "import os, time\nif os.fork() == 0:\n    os.setsid(); print(os.getpid(), flush=True)\ntime.sleep(3600)"
    running = daemon(
        f"[programs.x]\n{python(code)}\nstartsecs = 0\n", environ=install_plugin(short_tmp, "leaky", LEAKY)
    )
    told = {
        "zombies": "zombies: ",
        "instances": "wanted ",
        "descriptors": "descriptors of kind pipe",
        "threads": "threads: ",
    }
    for name, text in told.items():
        with pytest.raises(AssertionError, match=text):
            invariants.check_running(running, invariants.NAMES - {name, "answers"})
    invariants.check_running(running, frozenset(told))
    left = int(eventually(lambda: running.ctl("tail", "x").stdout.strip(), "its child"))
    assert running.terminate() == 0
    with pytest.raises(AssertionError, match=f"left behind: .*{left}"):
        invariants.check_gone(running.socket, frozenset())
    eventually(lambda: not lives(left), "it is ended all the same")


def test_a_daemon_that_answers_nobody_is_noticed(
    daemon: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "PATIENCE", 0.5)
    monkeypatch.setattr("tests.support.PATIENCE", 0.5)
    running = daemon("")
    os.kill(running.pid, signal.SIGSTOP)
    try:
        with pytest.raises(AssertionError, match="does not answer"):
            invariants.check_running(running, frozenset())
    finally:
        os.kill(running.pid, signal.SIGCONT)
