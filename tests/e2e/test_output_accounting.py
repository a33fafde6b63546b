"""Nothing that programs print is lost or doubled, whatever happens to them, their logs and the daemon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.numbering import check, command, content_of, parts_of
from tests.e2e.test_api_limits import memory_of
from tests.e2e.test_reaping import switches
from tests.support import Daemon, eventually, lives, python

Start = Callable[..., Daemon]


@pytest.mark.fault("P1")
def test_rotation_at_full_speed(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.x]\n{command(300_000)}\noneshot = true\n"
        f"stdout_logfile = '{log}'\nstdout_logfile_maxbytes = '100KB'\nstdout_logfile_backups = 1000\n"
    )
    eventually(lambda: running.process("x").state == "EXITED", "it has ended", 60)
    parts = parts_of(log)
    assert len(parts) > 30
    assert all(part.stat().st_size <= 100 * 1024 for part in parts)
    assert sum(check(content_of(parts)).values()) == 300_000
    with running.client() as client:
        end = client.log("x", offset=-1, length=1).offset
        assert end == sum(part.stat().st_size for part in parts)


@pytest.mark.fault("L2")
def test_logs_moved_and_reopened_at_full_speed(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(f"[programs.x]\n{command()}\nstdout_logfile = '{log}'\nstartsecs = 0\n")
    moved: list[Path] = []
    for number in range(10):
        eventually(lambda: log.exists() and log.stat().st_size > 0, "there is a log")
        moved.append(log.rename(short_tmp / f"moved{number}"))
        running.signal(signal.SIGUSR2)
        eventually(log.exists, "a new log")
    assert running.ctl("stop", "x").returncode == 0
    assert sum(check(content_of([*moved, log])).values()) > 1000


def test_restarts_and_kills_at_full_speed(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.x]\n{command()}\nstdout_logfile = '{log}'\nstartsecs = 0\n"
        "stdout_logfile_maxbytes = '1MB'\nstdout_logfile_backups = 1000\n"
    )
    killed: list[int] = []

    def printing() -> int:
        pid = running.wait_for("x", "RUNNING").pid
        eventually(lambda: b"%d 100\n" % pid in content_of(parts_of(log)), "it prints")
        return pid

    for number in range(8):
        pid = printing()
        if number % 2:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            eventually(lambda pid=pid: running.process("x").pid not in (0, pid), "the next run")
        else:
            with running.client() as client:
                client.restart("x")
    printing()
    assert running.ctl("stop", "x").returncode == 0
    assert len(check(content_of(parts_of(log)), killed=killed)) == 9


def test_shutdown_at_full_speed(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        "".join(
            f"[programs.p{number}]\n{command()}\nstdout_logfile = '{short_tmp}/log{number}'\nstartsecs = 0\n"
            for number in range(4)
        )
    )
    for number in range(4):
        eventually(lambda number=number: (short_tmp / f"log{number}").exists(), "it prints")
    time.sleep(0.3)
    assert running.terminate() == 0
    for number in range(4):
        assert sum(check((short_tmp / f"log{number}").read_bytes()).values()) > 0


def test_the_last_words_of_many_are_there_before_their_end_is_told(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        f"[programs.x]\n{command(2000)}\noneshot = true\nnumprocs = 20\n"
        f"stdout_logfile = '{short_tmp}/log%(process_num)d'\n"
    )
    done: set[str] = set()

    def look() -> bool:
        for name, process in running.processes().items():
            if process.state == "EXITED" and name not in done:
                done.add(name)
                log = short_tmp / name.replace("x_", "log")
                assert check(log.read_bytes()).popitem()[1] == 2000
        return len(done) == 20

    eventually(look, "all have ended", 60)


def test_the_last_line_without_a_newline(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.filed]\n{python('print(chr(97) * 10, end=str())')}\noneshot = true\nstdout_logfile = '{log}'\n"
        f"[programs.shown]\n{python('print(chr(98) * 10, end=str())')}\noneshot = true\n"
        f"[programs.raw]\n{python('print(chr(99) * 10, end=str())')}\noneshot = true\nstdout_logfile = '/dev/stdout'\n"
    )
    for name in ("filed", "shown", "raw"):
        running.wait_for(name, "EXITED")
    assert log.read_bytes() == b"a" * 10
    eventually(lambda: '"log": "bbbbbbbbbb"}\n' in running.output, "the line on the console")
    eventually(lambda: "cccccccccc" in running.output, "the raw line on the console")
    assert running.ctl("tail", "shown").stdout == "b" * 10


GRANDCHILD = """
import os, time
print("parent", flush=True)
if os.fork() == 0:
    time.sleep(3)
    for number in range(1000):
        os.write(1, b"child %d\\n" % number)
    os._exit(0)
"""


@pytest.mark.fault("P5")
def test_a_grandchild_prints_after_its_leader_died(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(f"[programs.x]\n{python(GRANDCHILD)}\noneshot = true\nstdout_logfile = '{log}'\n")
    running.wait_for("x", "EXITED")
    begin = log.read_text()
    assert begin == "parent\n", "the end of the leader waited for somebody else"
    expected = "parent\n" + "".join(f"child {number}\n" for number in range(1000))
    eventually(lambda: log.read_text() == expected, "all that the grandchild printed")


@pytest.mark.fault("P5")
def test_a_grandchild_goes_on_printing_when_its_program_is_removed(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(f"[programs.x]\n{python(GRANDCHILD)}\noneshot = true\nstdout_logfile = '{log}'\n")
    running.wait_for("x", "EXITED")
    running.write_config("")
    assert running.ctl("update").returncode == 0
    assert running.processes() == {}
    eventually(lambda: log.read_text().endswith("child 999\n"), "all that the grandchild printed")
    eventually(lambda: str(log) not in open_files(running.pid), "the log is closed then")


def open_files(pid: int) -> list[str]:
    """Paths of what a process has open."""
    return [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]


@pytest.mark.fault("P4")
@pytest.mark.parametrize("which", ["1", "2", "1, 2"])
def test_a_child_that_closes_its_output_and_lives(daemon: Start, which: str) -> None:
    code = f"import os, time\nprint('here', flush=True)\nfor fd in ({which},):\n    os.close(fd)\ntime.sleep(3600)"
    running = daemon(f"[programs.x]\n{python(code)}\nstartsecs = 0.2\n")
    pid = running.wait_for("x", "RUNNING").pid
    eventually(lambda: running.ctl("tail", "x").stdout == "here\n", "what it printed")
    time.sleep(1.0)
    before = switches(running.pid)
    time.sleep(1.5)
    assert switches(running.pid) == before, "the daemon is busy with a pipe that has ended"
    assert lives(pid)
    assert running.process("x").state == "RUNNING"


def test_redirected_stderr_keeps_the_order(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    code = "import os\nfor number in range(2000): os.write(1 + number % 2, b'%d\\n' % number)"
    running = daemon(
        f"[programs.x]\n{python(code)}\noneshot = true\nredirect_stderr = true\nstdout_logfile = '{log}'\n"
    )
    running.wait_for("x", "EXITED")
    assert log.read_text() == "".join(f"{number}\n" for number in range(2000))


@pytest.mark.fault("P1")
def test_floods_leave_the_api_and_memory_alone(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        f"[programs.counting]\n{command()}\nstdout_logfile = '{short_tmp}/log'\nstdout_logfile_maxbytes = 0\n"
        "startsecs = 0\n"
        + "".join(
            f"[programs.p{number}]\ncommand = 'yes'\nstdout_logfile = '{short_tmp}/log{number}'\n"
            "stdout_logfile_maxbytes = '1MB'\nstdout_logfile_backups = 0\nstartsecs = 0\n"
            for number in range(4)
        )
    )
    before = memory_of(running.pid)
    slowest = 0.0
    with running.client() as client:
        for _ in range(30):
            asked = time.monotonic()
            client.processes()
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.02)
    assert slowest < 1.0
    assert memory_of(running.pid) - before < 16_000_000
    assert running.ctl("stop", "all").returncode == 0
    assert sum(check((short_tmp / "log").read_bytes()).values()) > 1000


@pytest.mark.fault("P1")
def test_four_floods_are_fair(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        "".join(
            f"[programs.p{number}]\ncommand = 'yes {number}'\nstdout_logfile = '{short_tmp}/log{number}'\n"
            "stdout_logfile_maxbytes = 0\nautostart = false\nstartsecs = 0\n"
            for number in range(4)
        )
    )
    assert running.ctl("start", "all").returncode == 0
    time.sleep(1.5)
    assert running.ctl("stop", "all").returncode == 0
    sizes = [(short_tmp / f"log{number}").stat().st_size for number in range(4)]
    assert min(sizes) > max(sizes) / 4, sizes
