"""Disks that are full, broken or frozen, logs that are moved, removed or planted: through the real program."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kahi_api.client import ClientError
from tests.e2e.numbering import check, command, content_of, parts_of
from tests.e2e.test_output_events import RECORDER, recorded
from tests.support import Daemon, eventually, install_plugin, python

Start = Callable[..., Daemon]

TICKER = "import itertools, os, time\nfor n in itertools.count():\n    os.write(1, b'%08d %s\\n' % (n, b'x' * 90)); time.sleep(0.0005)"


@pytest.fixture
def small_disk(short_tmp: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = short_tmp / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "kahi-test", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.fault("L1")
@pytest.mark.needs_root
def test_a_full_disk_and_its_recovery(daemon: Start, short_tmp: Path, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 950_000)
    log = small_disk / "log"
    running = daemon(
        f"[programs.x]\n{python(TICKER)}\nstartsecs = 0\nstdout_logfile = '{log}'\n",
        environ=install_plugin(short_tmp, "recorder", RECORDER),
    )
    eventually(lambda: "cannot write" in running.output, "the disk is full", 60)
    time.sleep(2)
    (small_disk / "ballast").unlink()
    eventually(lambda: "takes data again" in running.output, "the recovery")
    assert running.ctl("stop", "x").returncode == 0
    lines = log.read_text().splitlines()
    marks = [number for number, line in enumerate(lines) if line.startswith("[kahi: ")]
    lost = sum(int(lines[mark].split()[1]) for mark in marks)
    numbers = [int(line[:8]) for line in lines if line[:8].isdigit() and len(line) == 99]
    assert numbers == sorted(set(numbers)), "lines are doubled or out of order"
    events = [event for event in recorded(short_tmp) if event["type"] == "PROCESS_OUTPUT_LOST"]
    assert events[0]["problem"] == f"cannot write {log}: No space left on device"
    assert (events[1]["problem"], events[1]["lost_bytes"]) == ("", lost)
    printed = running_total(lines, lost)
    assert printed == (numbers[-1] + 1) * 100, "a byte is not accounted for"
    told = running.says("takes data again", running.output.count("cannot write"))
    assert told.count("cannot write") == told.count("takes data again")


def running_total(lines: list[str], lost: int) -> int:
    """Bytes that a program printed: those in its log without the marks, and those that are lost."""
    total = lost
    for number, line in enumerate(lines):
        if line.startswith("[kahi: "):
            before = lines[number - 1] if number else ""
            if len(before) not in (0, 99):
                total -= 1  # The newline that was put before the mark.
        else:
            total += len(line) + 1
    return total


@pytest.mark.fault("L3")
@pytest.mark.needs_strace
@pytest.mark.parametrize("error", ["EIO", "EROFS", "EFBIG"])
def test_a_write_error_loses_nothing_when_it_is_short(daemon: Start, short_tmp: Path, error: str) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.x]\n{command(200, 0.01)}\noneshot = true\nstdout_logfile = '{log}'\n",
        wrapper=[
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-P",
            str(log),
            "-e",
            f"inject=write:error={error}:when=5..6",
        ],
    )
    eventually(lambda: "cannot write" in running.output, "the error", 60)
    eventually(lambda: "takes data again, 0 bytes were lost" in running.output, "the recovery", 60)
    eventually(lambda: running.process("x").state == "EXITED", "it has ended", 60)
    assert sum(check(log.read_bytes()).values()) == 200
    # strace does not pass a signal on.
    assert running.ctl("shutdown").returncode == 0


@pytest.mark.fault("L8")
@pytest.mark.needs_strace
@pytest.mark.parametrize("rename", [1, 2, 3, 5])
def test_a_daemon_that_dies_while_it_rotates(daemon: Start, short_tmp: Path, rename: int) -> None:
    log = short_tmp / "log"
    toml = f"[programs.x]\n{command(400, 0.001)}\noneshot = true\nstdout_logfile = '{log}'\nstdout_logfile_maxbytes = 1000\n"
    first = daemon(
        toml + "stdout_logfile_backups = 50\n",
        wrapper=[
            *("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(short_tmp), "-e", "trace=/^rename"),
            *("-e", f"inject=/^rename:signal=KILL:when={rename}"),
        ],
        wait=False,
    )
    assert first.wait() != 0
    second = daemon(toml + "stdout_logfile_backups = 50\n")
    second.wait_for("x", "EXITED")
    counts: dict[int, int] = {}
    for line in content_of(parts_of(log)).splitlines():
        pid, *rest = line.split()
        if len(rest) == 1 and rest[0].isdigit():
            assert int(rest[0]) == counts.get(int(pid), 0), line
            counts[int(pid)] = counts.get(int(pid), 0) + 1
    assert len(counts) == 2
    assert list(counts.values())[1] == 400


@pytest.mark.fault("L2")
def test_a_log_that_is_moved_or_removed_is_made_anew(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "dir" / "log"
    log.parent.mkdir()
    running = daemon(
        f"[programs.x]\ncommand = 'echo line'\noneshot = true\nautostart = false\nstdout_logfile = '{log}'\n"
    )
    with running.client() as client:
        client.start("x")
        log.rename(log.with_name("moved"))
        client.start("x")
        eventually(lambda: log.exists() and log.read_text() == "line\n", "a new log")
        assert log.with_name("moved").read_text() == "line\n"
        log.unlink()
        client.start("x")
        eventually(lambda: log.exists() and log.read_text() == "line\n", "a new log")
        log.unlink()
        log.with_name("moved").unlink()
        log.parent.rmdir()
        client.start("x")
        assert client.process("x").state == "EXITED"
        eventually(lambda: f"cannot reopen {log}: No such file or directory" in running.output, "it is told")
        log.parent.mkdir()
        client.start("x")
        eventually(lambda: log.exists() and log.read_text() == "line\n", "a new log")


@pytest.mark.fault("L5")
@pytest.mark.parametrize("what", ["symlink", "hard link", "fifo", "directory"])
def test_what_somebody_planted_is_refused(daemon: Start, short_tmp: Path, what: str) -> None:
    target, log = short_tmp / "target", short_tmp / "log"
    target.write_text("precious")
    match what:
        case "symlink":
            log.symlink_to(target)
            reason = "is a symbolic link"
        case "hard link":
            os.link(target, log)
            reason = "has a second hard link"
        case "fifo":
            os.mkfifo(log)
            reason = "No such device or address"
        case _:
            log.mkdir()
            reason = "Is a directory"
    running = daemon(f"[programs.x]\ncommand = 'echo 1'\nstdout_logfile = '{log}'\n")
    assert running.wait_for("x", "FATAL").spawn_error == f"cannot open log file {log}: {reason}"
    assert target.read_text() == "precious"


@pytest.mark.fault("L5")
@pytest.mark.needs_root
def test_a_link_in_the_path_is_refused_as_root(daemon: Start, short_tmp: Path) -> None:
    (short_tmp / "real").mkdir()
    (short_tmp / "link").symlink_to("real")
    running = daemon(f"[programs.x]\ncommand = 'echo 1'\nstdout_logfile = '{short_tmp}/link/log'\n")
    assert f"{short_tmp}/link is a symbolic link" in running.wait_for("x", "FATAL").spawn_error


@pytest.mark.fault("L6")
def test_two_programs_with_one_log_are_refused(
    kahi: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text(
        f"[supervisor]\nlogfile = '{tmp_path}/own'\n"
        f"[programs.a]\ncommand = 'x'\nstdout_logfile = '{tmp_path}/log'\n"
        f"[programs.b]\ncommand = 'x'\nstdout_logfile = '{tmp_path}/./log'\n"
        f"[programs.c]\ncommand = 'x'\nstdout_logfile = '{tmp_path}/log.3'\n"
        f"[programs.d]\ncommand = 'x'\nstderr_logfile = '{tmp_path}/own'\n"
    )
    messages = kahi("check", "-c", str(config)).stderr.splitlines()
    assert [line.partition(": ")[2] for line in messages] == [
        f"[programs.b] stdout_logfile: {tmp_path}/log is the log of process 'a' already; each stream needs a file of its own",
        f"[programs.c] stdout_logfile: {tmp_path}/log.3 is what a rotated log of process 'b' is called",
        f"[programs.d] stderr_logfile: {tmp_path}/own is the log of the daemon itself already; each stream needs a file of its own",
    ]


@contextlib.contextmanager
def frozen(place: Path) -> Iterator[None]:
    """A file system that takes no writes for as long as this lasts."""
    subprocess.run(["fsfreeze", "-f", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "-u", str(place)], check=True)


@pytest.fixture
def loop_disk(short_tmp: Path) -> Iterator[Path]:
    """A file system that can be frozen."""
    for program in ("mkfs.ext4", "fsfreeze"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    image, place = short_tmp / "image", short_tmp / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    made = subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], capture_output=True, check=False)
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(place)], capture_output=True, check=False
    )
    if made.returncode or mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.fault("L4")
@pytest.mark.needs_root
def test_a_frozen_disk_holds_up_only_those_who_log_to_it(
    daemon: Start, short_tmp: Path, loop_disk: Path
) -> None:
    tables = "".join(
        f"[programs.{name}]\n{command(0, 0.001)}\nstdout_logfile = '{log}'\nstartsecs = 0\n"
        for name, log in (
            ("cold", loop_disk / "a"),
            ("cold_too", loop_disk / "b"),
            ("warm", short_tmp / "log"),
        )
    )
    running = daemon(
        tables + f"[programs.later]\n{SLEEPER}\nautostart = false\nstdout_logfile = '{short_tmp}/later'\n"
    )
    eventually(lambda: (loop_disk / "b").exists() and (loop_disk / "b").stat().st_size > 0, "it prints")
    took: list[float] = []
    with frozen(loop_disk):
        until = time.monotonic() + 5
        begin = (short_tmp / "log").stat().st_size
        with running.client() as client:
            assert client.start("later").state == "RUNNING"
            assert client.stop("later").state == "STOPPED"
            while time.monotonic() < until:
                asked = time.monotonic()
                client.processes()
                took.append(time.monotonic() - asked)
                time.sleep(0.02)
        assert (short_tmp / "log").stat().st_size > begin + 1000, "the other log waits"
        assert "cold, cold_too: output waits, its destination does not answer" in running.output
    took.sort()
    assert took[len(took) * 95 // 100] < 0.1, "the goal for every answer; the slowest few are the machine's"
    assert took[-1] < 1.0
    eventually(lambda: "output goes on after" in running.output, "it is told")
    assert running.ctl("stop", "all").returncode == 0
    for log in (loop_disk / "a", loop_disk / "b", short_tmp / "log"):
        assert sum(check(log.read_bytes()).values()) > 100


SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


@pytest.mark.fault("L4")
@pytest.mark.needs_root
def test_a_shutdown_is_bounded_while_the_disk_is_frozen(
    daemon: Start, short_tmp: Path, loop_disk: Path
) -> None:
    running = daemon(
        f"[programs.x]\n{command(0, 0.001)}\nstdout_logfile = '{loop_disk}/a'\nstartsecs = 0\nstopwaitsecs = 1\n"
    )
    eventually(lambda: (loop_disk / "a").exists() and (loop_disk / "a").stat().st_size > 0, "it prints")
    with frozen(loop_disk):
        time.sleep(0.5)
        running.popen.terminate()
        eventually(
            lambda: "x: given up after 5 s: what was printed last is lost" in running.output, "the bound"
        )
    assert running.wait() == 0


@pytest.mark.fault("S6")
def test_a_stdout_that_nobody_reads_holds_up_only_those_who_print_there(
    daemon: Start, short_tmp: Path
) -> None:
    fifo, log = short_tmp / "fifo", short_tmp / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    running = daemon(
        f"[programs.shown]\n{command(0)}\nstartsecs = 0\n"
        f"[programs.filed]\n{command(0, 0.001)}\nstartsecs = 0\nstdout_logfile = '{log}'\n",
        wrapper=["sh", "-c", 'exec "$@" >fifo', "sh"],
    )
    time.sleep(1.5)
    begin = log.stat().st_size
    eventually(lambda: log.stat().st_size > begin + 1000, "the log goes on")
    assert running.ctl("stop", "filed").returncode == 0
    check(log.read_bytes())
    with subprocess.Popen(
        [sys.executable, "-c", "import os\nwhile os.read(0, 65536): pass"], stdin=reader
    ) as drain:
        eventually(lambda: running.process("shown").state == "RUNNING", "it answers")
        assert running.terminate() == 0
        drain.kill()
    os.close(reader)


def is_served(running: Daemon) -> bool:
    """Whether the API answers, whatever it is that the test has started."""
    with contextlib.suppress(ClientError), running.client() as client:
        return bool(client.health())
    return False


@pytest.mark.fault("S5", "S6")
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "| true"])
def test_a_stdout_that_is_closed_full_or_gone(daemon: Start, short_tmp: Path, redirection: str) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.shown]\n{command(2000)}\noneshot = true\n"
        f"[programs.raw]\n{command(2000)}\noneshot = true\nstdout_logfile = '/dev/stdout'\n"
        f"[programs.filed]\n{command(2000)}\noneshot = true\nstdout_logfile = '{log}'\n",
        wrapper=[
            "sh",
            "-c",
            f'"$@" {redirection}' if redirection == "| true" else f'exec "$@" {redirection}',
            "sh",
        ],
        wait=redirection != "| true",
    )
    eventually(lambda: is_served(running), "it answers")
    for name in ("shown", "raw", "filed"):
        running.wait_for(name, "EXITED")
    check(log.read_bytes())
    assert running.ctl("shutdown").returncode == 0


@pytest.mark.fault("S6")
def test_raw_lines_on_stdout_are_whole_and_a_nonblocking_stdout_loses_nothing(
    daemon: Start, short_tmp: Path
) -> None:
    unblock = "import fcntl, os, sys\nfcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)\nos.execvp(sys.argv[1], sys.argv[1:])"
    running = daemon(
        "[supervisor]\nlog_level = 'error'\n"
        + "".join(
            f"[programs.p{n}]\n{command(5000)}\noneshot = true\nstdout_logfile = '/dev/stdout'\n"
            for n in range(3)
        ),
        wrapper=["sh", "-c", '"$@" | sh -c "sleep 1; cat >shown"', "sh", sys.executable, "-c", unblock],
        wait=False,
    )
    eventually(lambda: is_served(running), "it answers")
    for n in range(3):
        running.wait_for(f"p{n}", "EXITED")
    assert running.ctl("shutdown").returncode == 0
    running.popen.wait(20)
    lines = (short_tmp / "shown").read_bytes().splitlines(keepends=True)
    by_pid: dict[bytes, bytes] = {}
    for line in lines:
        pid = line.split()[0]
        if not pid.isdigit():
            continue  # The daemon's own log.
        by_pid[pid] = by_pid.get(pid, b"") + line
    assert len(by_pid) == 3
    for content in by_pid.values():
        check(content)


@pytest.mark.fault("L7")
def test_ten_megabytes_without_a_newline(daemon: Start, short_tmp: Path) -> None:
    code = "import os\nfor _ in range(160): os.write(1, b'y' * 65536)"
    running = daemon(
        f"[programs.shown]\n{python(code)}\noneshot = true\n"
        f"[programs.filed]\n{python(code)}\noneshot = true\nstdout_logfile = '{short_tmp}/log'\nstrip_ansi = true\n"
    )
    running.wait_for("shown", "EXITED")
    running.wait_for("filed", "EXITED")
    assert (short_tmp / "log").stat().st_size == 160 * 65536
    printed = running.says('"log": "y', 160)
    lines = [json.loads(line) for line in printed.splitlines() if '"log": "y' in line]
    assert {len(line["log"]) for line in lines} == {65536}
    assert len(lines) == 160
    status = Path(f"/proc/{running.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 120 * 1024
