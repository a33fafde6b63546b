"""The examples of docs/how-to/client.md, against a daemon."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable

from kahi_api.client import Client
from tests.support import ROOT, Daemon, eventually, python

BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / "client.md").read_text(encoding="utf-8"), re.DOTALL
)

CODE = (
    "import sys\nprint('hello', flush=True)\nfor line in sys.stdin: print('shut down on', line, flush=True)"
)


def run(running: Daemon, code: str) -> str:
    """Run an example on the daemon of the test; returns what it printed."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\nfrom kahi_api.client import Client\n{code}".replace(
                "/run/kahi.sock", str(running.socket)
            ),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def example(start: str) -> str:
    """The one example that holds ``start``."""
    (found,) = (block for block in BLOCKS if start in block)
    return found


def test_every_example(daemon: Callable[..., Daemon]) -> None:
    running = daemon(
        f"[programs.web]\n{python(CODE)}\nstartsecs = 0\nautorestart = false\n"
        f"[programs.worker]\n{python(CODE)}\nstartsecs = 0\nnumprocs = 2\n"
        "[programs.bad]\ncommand = '/nowhere'\nautostart = false\n"
    )
    running.wait_for("web", "RUNNING")
    first = running.process("web").pid
    looked = run(running, example("kahi.processes()")).splitlines()
    assert looked[0].endswith(" ok")
    assert f"web RUNNING {first} pid {first}, uptime" in looked[2]
    assert looked[-2:] == ["worker_0 STOPPED fine", "worker_1 STOPPED fine"]
    running.wait_for("web", "EXITED")
    with running.client() as client:
        client.start("web")
    assert run(running, example("kahi.send(")) == ""
    followed: list[str] = []
    thread = threading.Thread(target=lambda: followed.append(run(running, example("follow_log("))))
    thread.start()

    def says_it_again() -> bool:
        run(running, example("kahi.send("))
        thread.join(0.3)
        return bool(followed)

    eventually(says_it_again, "the follower has seen it")
    assert "shut down on reload" in followed[0]
    assert run(running, example("ApiError")) == "CONFLICT web: already started\n"


def test_the_example_of_events(daemon: Callable[..., Daemon]) -> None:
    running = daemon("[programs.bad]\ncommand = '/nowhere'\nautostart = false\n")
    printed: list[str] = []
    thread = threading.Thread(target=lambda: printed.append(run(running, example("follow_events("))))
    thread.start()

    def fails() -> bool:
        with running.client() as client:
            client.act("start", ["bad"])
        thread.join(0.3)
        return bool(printed)

    eventually(fails, "the event arrives")
    assert printed[0].splitlines()[-1] == "PROCESS_STATE_FATAL bad"


def test_the_example_over_tcp_means_what_it_says() -> None:
    block = example("https://")
    with Client("https://kahi.example:9876", username="admin", password="secret") as client:
        assert client.address in block
