"""Wall clocks that jump: libfaketime moves the one that the daemon and its programs see."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support import Daemon, eventually, steadily

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"'
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@pytest.fixture
def clock(short_tmp: Path) -> tuple[Callable[[int], None], dict[str, str]]:
    """Sets how far the wall clock is off, in seconds; and the environment of those who see that."""
    if not LIBRARIES or shutil.which("faketime") is None:
        pytest.skip("needs libfaketime")
    file = short_tmp / "offset"

    def jump(seconds: int) -> None:
        (short_tmp / "new").write_text(f"{seconds:+d}")
        (short_tmp / "new").rename(file)

    jump(0)
    return jump, {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }


@pytest.mark.fault("R2")
@pytest.mark.parametrize("offset", [3601, -86398])
def test_a_clock_that_jumps_moves_nothing(
    daemon: Start, clock: tuple[Callable[[int], None], dict[str, str]], offset: int
) -> None:
    jump, environ = clock
    running = daemon(
        f"[programs.up]\n{SLEEPER}\nstartsecs = 0\n"
        f"[programs.starting]\n{SLEEPER}\nstartsecs = 600\n"
        "[programs.failing]\ncommand = 'false'\nstartretries = 1\nbackoff = { initial = 600, max = 600 }\n"
        f"[programs.stubborn]\ncommand = ['sh', '-c', 'trap \"\" TERM; while :; do sleep 0.1; done']\n"
        "startsecs = 0\nstopwaitsecs = 600\nkillasgroup = true\n",
        environ=environ,
    )
    running.wait_for("failing", "BACKOFF")
    with running.client() as client:
        client.stop("stubborn", wait=False)
    before = running.processes()
    assert {name: process.state for name, process in before.items()} == {
        "up": "RUNNING",
        "starting": "STARTING",
        "failing": "BACKOFF",
        "stubborn": "STOPPING",
    }
    began = time.monotonic()
    jump(offset)
    last = len(running.output.splitlines())
    with running.client() as client:
        client.restart("starting", wait=False)
    restarted = eventually(
        lambda: [p for p in [running.process("starting")] if p.pid not in (0, before["starting"].pid)],
        "what is asked for is done",
    )[0]

    def as_before() -> bool:
        now = running.processes()
        return all(
            (now[name].state, now[name].pid) == (process.state, process.pid)
            for name, process in {**before, "starting": restarted}.items()
        )

    steadily(as_before, "nothing moves", 1.5)
    assert running.process("up").uptime <= before["up"].uptime + (time.monotonic() - began) + 1
    # The clock did jump, as the times of the log show.
    eventually(lambda: len(running.output.splitlines()) > last, "a line of the log")
    first, *_, latest = (json.loads(line)["time"] for line in running.output.splitlines())
    jumped = datetime.fromisoformat(latest) - datetime.fromisoformat(first)
    assert abs(jumped.total_seconds() - offset) < 60
    running.signal(signal.SIGTERM)
    running.says("shutting down")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
