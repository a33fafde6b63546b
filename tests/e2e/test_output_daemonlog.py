"""The daemon's own log: level, rotation after privileges are dropped, and a log that takes nothing."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, eventually

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def levels(log: Path) -> list[str]:
    """Of each record so far; those of changes from outside are there at any level."""
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return [record["level"] for record in records if record["logger"] != "kahi.audit"]


def test_a_reload_changes_the_level_at_once(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "own"
    toml = f"[supervisor]\nlogfile = '{log}'\nlog_level = 'info'\n[programs.x]\n{SLEEPER}\n"
    running = daemon(toml)
    running.wait_for("x", "RUNNING")
    assert "debug" not in levels(log)
    running.write_config(toml.replace("'info'", "'debug'"))
    assert running.ctl("reload").returncode == 0
    running.ctl("restart", "x")
    eventually(lambda: "debug" in levels(log), "a record of the new level")
    running.write_config(toml.replace("'info'", "'error'"))
    assert running.ctl("reload").returncode == 0

    def is_quiet() -> bool:
        # What was logged before the reload may still have been on its way to the file.
        before = len(levels(log))
        running.ctl("restart", "x")
        return set(levels(log)[before:]) <= {"error"}

    eventually(is_quiet, "nothing below the new level")


@pytest.mark.needs_root
def test_the_log_is_rotated_by_the_user_that_the_daemon_has_become(daemon: Start, short_tmp: Path) -> None:
    account = pwd.getpwnam("nobody")
    logs = short_tmp / "logs"
    logs.mkdir()
    os.chown(logs, account.pw_uid, account.pw_gid)
    short_tmp.chmod(0o755)
    running = daemon(
        f"[supervisor]\nuser = 'nobody'\nlogfile = '{logs}/own'\nlogfile_maxbytes = 1500\nlogfile_backups = 50\n"
        f"log_level = 'debug'\n[programs.x]\n{SLEEPER}\n"
    )
    assert (logs / "own").stat().st_uid == account.pw_uid
    for _ in range(4):
        running.ctl("restart", "x")
    eventually((logs / "own.2").exists, "rotations")
    assert {path.stat().st_uid for path in logs.iterdir()} == {account.pw_uid}
    running.signal(signal.SIGUSR2)
    running.ctl("restart", "x")
    assert "cannot" not in "".join(path.read_text() for path in logs.iterdir())


def test_a_log_that_nobody_reads_costs_bounded_memory_and_holds_up_nothing(
    daemon: Start, short_tmp: Path
) -> None:
    fifo = short_tmp / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    running = daemon(
        f"[supervisor]\nlog_level = 'debug'\n[programs.x]\n{SLEEPER}\n",
        wrapper=["sh", "-c", 'exec "$@" >fifo 2>errors', "sh"],
    )
    os.set_blocking(reader, True)
    with running.client() as client:
        for _ in range(150):
            client.restart("x")
        assert client.process("x").state == "RUNNING"
    with subprocess.Popen(
        [sys.executable, "-c", "import os\nwhile data := os.read(0, 65536): os.write(1, data)"],
        stdin=reader,
        stdout=subprocess.PIPE,
    ) as drain:
        assert running.terminate() == 0
        assert drain.stdout is not None
        assert drain.stdout.readline()
        drain.kill()
    os.close(reader)
