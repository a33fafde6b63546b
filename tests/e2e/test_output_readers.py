"""Reading logs by offset and following them: exact over everything that happens to a log."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kahi_api.client import ApiError, ClientError, LogPiece
from tests.e2e.numbering import check, command, content_of, parts_of
from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]
SMALL_LOGS = "stdout_logfile_maxbytes = '50KB'\nstdout_logfile_backups = 5000\n"


class Follower:
    """Follows a log from an offset on in a thread; reconnects when it is told to."""

    def __init__(self, running: Daemon, name: str, offset: int = 0) -> None:
        self.running = running
        self.name = name
        self.data = bytearray()
        self.offset = offset
        self.missed = 0
        self.resets = 0
        self._connect()

    def _connect(self) -> None:
        self.client = self.running.client()
        pieces = self.client.follow_log(self.name, offset=self.offset)
        self.thread = threading.Thread(target=self._take, args=(pieces,), daemon=True)
        self.thread.start()

    def _take(self, pieces: Iterator[LogPiece]) -> None:
        try:
            for piece in pieces:
                self.data += piece.data
                self.missed += piece.missed
                self.resets += piece.is_reset
                self.offset = piece.offset
        except (ClientError, OSError, ValueError):
            return  # The connection was closed.

    def reconnect(self) -> None:
        """Lose the connection, and go on where it was."""
        self.close()
        self._connect()

    def close(self) -> None:
        """Lose the connection."""
        self.client.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("where", ["file", "ring"])
def test_a_follower_gets_every_byte_once(daemon: Start, short_tmp: Path, where: str) -> None:
    """Over rotations, restarts, moves, reopens and lost connections."""
    log = short_tmp / "log"
    logfile = (
        f"stdout_logfile = '{log}'\n{SMALL_LOGS}" if where == "file" else "stdout_buffer_maxbytes = '50MB'\n"
    )
    running = daemon(f"[programs.x]\n{command(40_000, 0.00002)}\n{logfile}startsecs = 0\nautostart = false\n")
    follower = Follower(running, "x")
    for number in range(4):
        before = len(follower.data)
        with running.client() as client:
            client.start("x")
        eventually(lambda n=before: len(follower.data) > n, "some output of this run")
        follower.reconnect()
        running.ctl("stop" if number % 2 else "restart", "x")
        running.ctl("stop", "x")
        follower.reconnect()
    with running.client() as client:
        end = client.log("x", offset=-1, length=1).offset
    eventually(lambda: follower.offset == end, "the follower has come to the end")
    assert (len(follower.data), follower.missed, follower.resets) == (end, 0, 0)
    assert len(check(bytes(follower.data))) >= 4
    if where == "file":
        assert bytes(follower.data) == content_of(parts_of(log))


def test_offsets_go_on_over_rotation_clear_restart_and_reopen(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    log.write_bytes(b"found here\n")
    running = daemon(
        f"[programs.x]\ncommand = 'printf 0123456789'\noneshot = true\nautostart = false\nstdout_logfile = '{log}'\n"
        "stdout_logfile_maxbytes = 15\nstdout_logfile_backups = 2\n"
    )
    with running.client() as client:
        assert client.log("x", offset=0, length=100) == LogPiece(b"found here\n", 11), (
            "before the first start"
        )
        client.start("x")
        assert client.log("x", offset=0, length=100) == LogPiece(b"found here\n0123456789", 21)
        assert client.log("x", offset=9, length=4) == LogPiece(b"e\n01", 13)
        client.start("x")
        client.start("x")
        assert client.log("x", offset=0, length=100) == LogPiece(b"0123456789" * 3, 41, missed=11)
        assert client.log("x", offset=38, length=100) == LogPiece(b"789", 41)
        assert client.log("x", offset=-4, length=100) == LogPiece(b"6789", 41)
        assert client.log("x", offset=41, length=100) == LogPiece(b"", 41)
        assert client.log("x", offset=1000, length=100) == LogPiece(b"", 41)
        client.clear_log("x")
        assert log.read_bytes() == b""
        assert not (short_tmp / "log.1").exists()
        assert client.log("x", offset=30, length=100) == LogPiece(b"", 41, missed=11)
        assert client.log("x", length=100) == LogPiece(b"", 41)
        client.start("x")
        log.rename(short_tmp / "log.1")
        client.reopen_logs()
        assert log.read_bytes() == b""
        client.start("x")
        assert client.log("x", offset=41, length=100) == LogPiece(b"0123456789" * 2, 61)


def test_a_reader_of_what_is_gone_and_of_what_has_not_been_is_told(daemon: Start) -> None:
    running = daemon(
        "[programs.x]\ncommand = 'printf %s\\n 0123456789'\noneshot = true\nautostart = false\n"
        "stdout_buffer_maxbytes = 15\n".replace("\\n", "\\\\n")
    )
    with running.client() as client:
        for _ in range(3):
            client.start("x")

    def events(path: str, last: str = "") -> list[str]:
        """The first events of a stream, as they are on the wire."""
        header = ["-H", f"Last-Event-ID: {last}"] if last else []
        url = f"http://k/api/v1/processes/x/log/stdout/stream{path}"
        with subprocess.Popen(
            ["curl", "-sN", "--unix-socket", str(running.socket), *header, url],
            stdout=subprocess.PIPE,
            text=True,
        ) as curl:
            assert curl.stdout is not None
            found = list(itertools.islice(iter(curl.stdout.readline, ""), 7))
            curl.terminate()
        return [line.rstrip("\n") for line in found if not line.startswith(":")]

    assert events("", "5")[1:] == ["event: dropped", "id: 18", 'data: {"bytes": 13}', "", "id: 33"]
    assert events("", "99")[1:4] == ["event: reset", "id: 33", 'data: {"offset": 33}']
    assert events("?tail=4")[1:5] == ["id: 33", "data: 789", "data: ", ""]
    assert events("?tail=1000")[1:4] == ["id: 33", "data: 789", "data: 0123456789"]
    raw = subprocess.run(
        [
            "curl",
            "-si",
            "--unix-socket",
            str(running.socket),
            "http://k/api/v1/processes/x/log/stdout?offset=5",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.lower()
    assert "x-log-offset: 33" in raw
    assert "x-log-missed: 13" in raw
    with running.client() as client:
        piece = client.log("x", length=0)
    assert (piece.data, piece.offset, piece.missed) == (b"", 33, 0)


def test_a_follower_of_a_cleared_log_goes_on(daemon: Start, short_tmp: Path) -> None:
    said = short_tmp / "said"
    said.write_text("one\n")
    running = daemon(
        f"[programs.x]\ncommand = 'tail -n +1 -f {said}'\nstartsecs = 0\nstdout_logfile = '{short_tmp}/log'\n"
    )
    follower = Follower(running, "x")
    eventually(lambda: bytes(follower.data) == b"one\n", "the first line")
    assert running.ctl("clear", "x").stdout == "x: cleared\n"
    assert (short_tmp / "log").read_text() == ""
    with said.open("a") as file:
        file.write("two\n")
    eventually(lambda: bytes(follower.data) == b"one\ntwo\n", "the second line")
    assert (follower.missed, follower.offset) == (0, 8)


@pytest.mark.fault("A10", "L7")
def test_characters_and_line_ends_that_are_split_over_reads(daemon: Start) -> None:
    pieces = [
        "b'caf\\xc3'",
        "b'\\xa9 \\xe2\\x82'",
        "b'\\xac one\\r'",
        "b'\\ntwo\\r'",
        "b'three \\xff\\n'",
        "b'\\xf0\\x9f'",
    ]
    code = f"import os, time\nfor piece in [{', '.join(pieces)}]: os.write(1, piece); time.sleep(0.2)\ntime.sleep(3600)"
    running = daemon(f"[programs.x]\n{python(code)}\nstartsecs = 0\n")
    with subprocess.Popen(
        [
            "curl",
            "-sN",
            "--unix-socket",
            str(running.socket),
            "http://k/api/v1/processes/x/log/stdout/stream?tail=9999",
        ],
        stdout=subprocess.PIPE,
    ) as curl:
        assert curl.stdout is not None
        lines: list[bytes] = []
        while b"data: three" not in b"".join(lines):
            lines.append(curl.stdout.readline())
        curl.terminate()
    events = [block.split(b"\n") for block in b"".join(lines).split(b"\n\n")]
    texts = [b"\n".join(line[6:] for line in block if line.startswith(b"data: ")) for block in events]
    assert b"".join(texts).decode().removesuffix("\n") == "café € one\ntwo\nthree \ufffd"
    with running.client() as client:
        exact = b"caf\xc3\xa9 \xe2\x82\xac one\r\ntwo\rthree \xff\n"
        assert client.log("x", offset=0, length=1000).data.startswith(exact)
        got = b""
        for piece in client.follow_log("x", offset=0):
            got += piece.data
            if b"three" in got:
                break
        assert got == exact


def test_the_stream_of_a_process_that_is_removed_ends(daemon: Start) -> None:
    running = daemon("[programs.x]\ncommand = 'sleep 3600'\nstartsecs = 0\n")
    with running.client() as client:
        pieces = client.follow_log("x", offset=0, waiting=lambda problem: None)
        threading.Timer(1.0, lambda: (running.write_config(""), running.signal(signal.SIGHUP))).start()
        with pytest.raises(ApiError) as refused:
            next(pieces)
    assert refused.value.status == 404


def test_the_logs_of_stopped_programs_are_read_and_cleared(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    log.write_text("from an earlier life\n")
    (short_tmp / "log.1").write_text("even earlier\n")
    running = daemon(
        f"[programs.x]\ncommand = 'true'\nautostart = false\nstdout_logfile = '{log}'\n"
        f"[programs.y]\ncommand = 'true'\nautostart = false\nstdout_logfile = '{short_tmp}/none'\n"
    )
    assert running.ctl("tail", "x").stdout == "from an earlier life\n"
    assert running.ctl("tail", "y").stdout == ""
    assert not (short_tmp / "none").exists()
    assert running.ctl("clear", "x").returncode == 0
    assert log.read_text() == ""
    assert not (short_tmp / "log.1").exists()


def test_clear_by_the_action_names_what_can_not_be_cleared(daemon: Start, short_tmp: Path) -> None:
    (short_tmp / "dir").mkdir()
    running = daemon(
        f"[programs.x]\ncommand = 'echo 1'\noneshot = true\nstdout_logfile = '{short_tmp}/log'\n"
        f"[programs.y]\ncommand = 'echo 1'\noneshot = true\nstdout_logfile = '{short_tmp}/dir/log'\n"
    )
    running.wait_for("x", "EXITED")
    running.wait_for("y", "EXITED")
    (short_tmp / "dir").rename(short_tmp / "moved")
    with running.client() as client:
        results = {result.name: result for result in client.act("clear", ["all"])}
    assert (results["x"].ok, results["y"].ok) == (True, False)
    assert results["y"].error == f"y: cannot clear {short_tmp}/dir/log: No such file or directory"
    assert (short_tmp / "log").read_text() == ""
    assert (short_tmp / "moved" / "log").read_text() == "1\n"
    failed = running.ctl("reopen")
    assert failed.returncode == 1
    assert f"cannot reopen {short_tmp}/dir/log: No such file or directory" in failed.stderr


@pytest.mark.fault("A1")
def test_a_slow_reader_holds_up_nobody(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        f"[programs.x]\n{command(150_000)}\noneshot = true\nautostart = false\nstdout_logfile = '{short_tmp}/log'\n"
        "stdout_logfile_maxbytes = '100KB'\nstdout_logfile_backups = 2\n"
    )
    with running.client() as slow, running.client() as client:
        pieces = slow.follow_log("x", offset=0)
        threading.Timer(0.5, lambda: client.start("x")).start()
        first = next(pieces)
        running.wait_for("x", "EXITED")
        missed, data = 0, first.data
        for piece in pieces:
            missed += piece.missed
            data += piece.data
            if b" end 150000\n" in data:
                break
        end = client.log("x", offset=-1, length=1).offset
    assert missed > 0
    assert missed + len(data) == end


def test_the_daemons_own_log_is_read_and_followed(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        f"[supervisor]\nlogfile = '{short_tmp}/own'\n[programs.x]\ncommand = 'sleep 3600'\nstartsecs = 0\n"
    )
    running.wait_for("x", "RUNNING")
    with running.client() as client:
        whole = client.daemon_log(offset=0, length=1024 * 1024)
        assert whole.data == (short_tmp / "own").read_bytes()
        assert whole.data.endswith(client.daemon_log(length=50).data)
        pieces = client.follow_daemon_log(offset=whole.offset)
        threading.Timer(0.3, lambda: running.ctl("stop", "x")).start()
        assert json.loads(next(pieces).data.splitlines()[0])["message"] == "x: stopped"
    shown = running.ctl("maintail", "--bytes", "100000").stdout
    assert shown == (short_tmp / "own").read_text()
