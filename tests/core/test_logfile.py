"""Log files: rotation, what others do to them, reading by offset, and disks that refuse."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kahi.output.filewriter import HELD, RETRY, FileWriter
from kahi.output.logfile import LogFile
from kahi.output.logreader import read_log
from kahi.system import System

SYSTEM = System()
PIECES = st.lists(st.binary(max_size=40), max_size=20)


@contextlib.contextmanager
def opened(path: Path, maxbytes: int, backups: int) -> Iterator[LogFile]:
    """A log file that does not stay open."""
    file = LogFile(str(path), maxbytes, backups, SYSTEM)
    try:
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A fresh one for each example."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name).resolve()


def files_of(log: Path, backups: int) -> list[Path]:
    """Those that exist, oldest first."""
    names = [*(log.with_name(f"{log.name}.{number}") for number in range(backups, 0, -1)), log]
    return [name for name in names if name.exists()]


@given(PIECES, st.integers(1, 50), st.integers(0, 3))
def test_rotation_loses_nothing_but_the_oldest(pieces: list[bytes], maxbytes: int, backups: int) -> None:
    with directory() as place:
        log = place / "log"
        file = LogFile(str(log), maxbytes, backups, SYSTEM)
        for piece in pieces:
            file.write(piece)
        file.close()
        everything = b"".join(pieces)
        assert file.end == len(everything)
        parts = [part.read_bytes() for part in files_of(log, backups)]
        assert all(len(part) <= maxbytes for part in parts)
        kept = b"".join(parts)
        assert everything.endswith(kept)
        if backups == 3 and len(everything) <= maxbytes:
            assert kept == everything


@given(PIECES, st.integers(8, 50))
def test_a_write_is_split_only_when_it_alone_is_too_large(pieces: list[bytes], maxbytes: int) -> None:
    with directory() as place, opened(place / "log", maxbytes, 1000) as file:
        log = place / "log"
        for piece in pieces:
            file.write(piece)
        ends = set()
        at = 0
        for part in files_of(log, 1000)[:-1]:
            at += part.stat().st_size
            ends.add(at)
        at = 0
        for piece in pieces:
            inside = {end for end in ends if at < end < at + len(piece)}
            assert not inside or len(piece) > maxbytes
            at += len(piece)


OPERATIONS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=30),
        st.sampled_from(["clear", "move", "remove", "truncate", "reopen", "restart"]),
    ),
    max_size=25,
)


@settings(max_examples=300)
@given(OPERATIONS, st.integers(0, 40), st.integers(0, 3), st.data())
def test_reading_by_offset_is_exact(
    operations: list[bytes | str], maxbytes: int, backups: int, data: st.DataObject
) -> None:
    """No byte twice, no byte wrong, and what is missing is told, whatever happens to the files."""
    with directory() as place, opened(place / "log", maxbytes, backups) as file:
        log = place / "log"
        everything = b""
        moves = 0
        reader = 0
        for operation in operations:
            match operation:
                case bytes():
                    file.write(operation)
                    everything += operation
                case "clear":
                    file.clear()
                case "move" if log.exists():
                    moves += 1
                    log.rename(place / f"moved{moves}")
                case "remove" if log.exists():
                    log.unlink()
                case "truncate" if log.exists():
                    os.truncate(log, 0)
                case "reopen":
                    file.reopen()
            assert file.end == len(everything)
            if data.draw(st.booleans()):
                found = read_log(file, reader, 1000)
                begin = found.offset - len(found.data)
                assert begin == reader + found.missed
                assert found.data == everything[begin : found.offset]
                assert found.offset <= len(everything)
                reader = found.offset
        length = data.draw(st.integers(0, 60))
        end = read_log(file, -length, length) if length else read_log(file, file.end, 0)
        assert everything[: end.offset].endswith(end.data)
        assert end.missed == 0
        ahead = read_log(file, file.end + 1, 10)
        assert (ahead.ahead, ahead.offset, ahead.data) == (True, file.end, b"")


def test_an_undisturbed_log_is_read_whole_over_all_its_files(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path / "log"), 100, 1000, SYSTEM)
    lines = [b"%d\n" % number for number in range(1000)]
    for line in lines:
        file.write(line)
    assert len(files_of(tmp_path / "log", 1000)) > 30
    everything = b"".join(lines)
    assert read_log(file, 0, 10**6).data == everything
    for at in range(0, len(everything), 37):
        assert read_log(file, at, 50).data == everything[at : at + 50]
    assert read_log(file, -500, 500).data == everything[-500:]
    again = LogFile(str(tmp_path / "log"), 100, 1000, SYSTEM)
    size = (tmp_path / "log").stat().st_size
    assert (again.end, again.size) == (size, size)
    assert read_log(again, 0, 10**6).data == everything[-size:]


def test_what_was_rotated_away_is_missed(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path / "log"), 10, 1, SYSTEM)
    for number in range(10):
        file.write(b"%09d\n" % number)
    found = read_log(file, 5, 1000)
    assert (found.missed, found.data) == (75, b"000000008\n000000009\n")


@pytest.mark.fault("L2")
def test_logrotate_moves_the_log_and_reading_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    file = LogFile(str(log), 0, 0, SYSTEM)
    file.write(b"before ")
    log.rename(tmp_path / "log.1")
    file.write(b"between ")
    file.reopen()
    file.write(b"after")
    assert log.read_bytes() == b"after"
    assert read_log(file, 0, 100).data == b"before between after"
    assert read_log(file, 5, 10).data == b"e between "


def test_a_foreign_file_in_the_place_of_the_log_is_no_part_of_the_stream(tmp_path: Path) -> None:
    log = tmp_path / "log"
    file = LogFile(str(log), 0, 0, SYSTEM)
    file.write(b"ours ")
    log.unlink()
    log.write_bytes(b"foreign")
    file.reopen()
    file.write(b"again")
    assert log.read_bytes() == b"foreignagain"
    found = read_log(file, 0, 100)
    assert (found.missed, found.data, found.offset) == (5, b"again", 10)


@pytest.mark.fault("L8")
@pytest.mark.parametrize("step", range(6))
def test_a_rotation_that_broke_off_is_finished_without_a_loss(tmp_path: Path, step: int) -> None:
    """The daemon dies before any of the renames; the next one goes on."""
    log = tmp_path / "log"

    def names() -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(tmp_path.iterdir())}

    for number in range(5, 0, -1):
        (tmp_path / f"log.{number}").write_text(f"old {number}")
    log.write_text("0123456789")
    moves = [("log.4", "log.5"), ("log.3", "log.4"), ("log.2", "log.3"), ("log.1", "log.2"), ("log", "log.1")]
    for old, new in moves[:step]:
        (tmp_path / old).rename(tmp_path / new)
    file = LogFile(str(log), 10, 5, SYSTEM)
    file.write(b"next")
    expected = {"log": "next", "log.1": "0123456789"} | {f"log.{n + 1}": f"old {n}" for n in range(1, 5)}
    assert names() == expected


def test_a_rotation_that_can_not_be_done_lets_the_file_grow(tmp_path: Path) -> None:
    (tmp_path / "log.1").mkdir()
    (tmp_path / "log.1" / "not empty").touch()
    troubles: list[str] = []
    file = LogFile(str(tmp_path / "log"), 10, 1, SYSTEM, on_trouble=troubles.append)
    for _ in range(5):
        file.write(b"12345678\n")
    assert (tmp_path / "log").read_bytes() == b"12345678\n" * 5
    assert len(troubles) == 1
    assert "cannot rotate" in troubles[0]


@pytest.mark.fault("L5")
def test_a_log_file_is_never_a_trap(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    os.link(target, tmp_path / "hard")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    reasons = {
        "link": "symbolic link",
        "hard": "hard link",
        "directory": "directory",
        "fifo": "No such device",
    }
    for name, reason in reasons.items():
        with pytest.raises(OSError, match=reason):
            LogFile(str(tmp_path / name), 0, 0, SYSTEM)
    assert target.read_text() == "precious"


@pytest.mark.fault("L5")
def test_a_link_on_the_way_is_followed_by_nobody_who_could_be_led_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    path = str((tmp_path / "link" / "log").absolute())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(OSError, match=f"{tmp_path}/link is a symbolic link"):
        LogFile(path, 0, 0, SYSTEM)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    file = LogFile(path, 5, 1, SYSTEM)
    file.write(b"12345")
    file.write(b"6")
    assert (tmp_path / "real" / "log.1").read_bytes() == b"12345"


def test_a_log_that_can_not_be_used_does_not_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_fd: int, _uid: int, _gid: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchown", refused)
    held = tmp_path / "held"
    with held.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        before = os.listdir("/dev/fd")
        with pytest.raises(BlockingIOError):
            LogFile(str(held), 0, 0, SYSTEM, private=True)
        with pytest.raises(PermissionError):
            LogFile(str(tmp_path / "new"), 0, 0, SYSTEM, owner=(4711, 4711))
        assert os.listdir("/dev/fd") == before


class FullDisk(System):
    """Takes ``room`` bytes, the last write short, then none."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 10**9
        self.error = errno.ENOSPC
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        count = os.write(fd, data[: self.room])
        self.room -= count
        return count


@pytest.fixture
def disk() -> FullDisk:
    return FullDisk()


def writer_on(disk: FullDisk, path: Path, troubles: list[str]) -> FileWriter:
    """A writer to a log on that disk."""
    return FileWriter(LogFile(str(path), 0, 0, disk), disk, troubles.append)


@pytest.mark.fault("L1")
def test_a_full_disk_that_has_room_again_soon_loses_nothing(disk: FullDisk, tmp_path: Path) -> None:
    troubles: list[str] = []
    writer = writer_on(disk, tmp_path / "log", troubles)
    disk.room = 7
    for number in range(5):
        writer.write(b"line %d\n" % number)
    assert (tmp_path / "log").read_bytes() == b"line 0\n"
    assert troubles == [f"cannot write {tmp_path}/log: No space left on device"]
    disk.room = 3
    disk.now += RETRY
    writer.retry()
    disk.room = 10**9
    writer.retry()
    assert (tmp_path / "log").read_bytes() == b"".join(b"line %d\n" % number for number in range(5))
    assert (writer.lost, writer.retry_at, troubles[1:]) == (0, None, [""])


@pytest.mark.fault("L1")
def test_what_does_not_fit_into_memory_is_counted_and_marked(disk: FullDisk, tmp_path: Path) -> None:
    troubles: list[str] = []
    writer = writer_on(disk, tmp_path / "log", troubles)
    disk.room = 12
    lines = [b"%09d\n" % number for number in range(20_000)]
    for line in lines:
        writer.write(line)
    assert len(troubles) == 1
    disk.room = 10**9
    writer.retry()
    content = (tmp_path / "log").read_bytes()
    begin, marker, *rest = content.splitlines(keepends=True)[1:]
    assert begin == b"00\n"
    assert marker == b"[kahi: %d bytes lost]\n" % writer.lost
    assert HELD - 10 <= len(b"".join(rest)) <= HELD
    assert b"".join(rest) == b"".join(lines)[-len(b"".join(rest)) :]
    assert 12 + writer.lost + len(b"".join(rest)) == sum(map(len, lines))
    assert writer.file.end == len(content)


@pytest.mark.fault("L1")
def test_a_marker_that_is_itself_cut_short_is_finished(disk: FullDisk, tmp_path: Path) -> None:
    writer = writer_on(disk, tmp_path / "log", [])
    disk.room = 0
    writer.write(b"x" * 100 + b"\n")
    writer.write(b"y" * HELD + b"\n")
    disk.room = 5
    writer.retry()
    disk.room = 10**9
    writer.retry()
    content = (tmp_path / "log").read_bytes()
    assert content.startswith(b"[kahi: ")
    assert content.count(b"kahi") == 1


@pytest.mark.fault("L1")
def test_closing_a_log_that_refuses_counts_what_was_held(disk: FullDisk, tmp_path: Path) -> None:
    troubles: list[str] = []
    writer = writer_on(disk, tmp_path / "log", troubles)
    disk.room, disk.error = 0, errno.EIO
    writer.write(b"12345")
    writer.close()
    assert writer.lost == 5
    assert "Input/output error" in troubles[0]
    assert "closed" in troubles[1]


def test_a_mark_stands_on_a_line_of_its_own(disk: FullDisk, tmp_path: Path) -> None:
    """Also where the last piece that the file took ended in the middle of a line."""
    writer = writer_on(disk, tmp_path / "log", [])
    writer.write(b"begin of a")
    disk.room = 0
    writer.write(b" line\n" + b"x" * 99 + b"\n" + b"y" * (HELD - 1) + b"\n")
    disk.room = 10**9
    writer.retry()
    begin, mark, rest = (tmp_path / "log").read_bytes().splitlines()
    assert (begin, mark, rest) == (b"begin of a", b"[kahi: 106 bytes lost]", b"y" * (HELD - 1))
