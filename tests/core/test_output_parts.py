"""The small parts of the output side: ring, log file, escape sequences, console lines."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.output.ansi import AnsiStripper
from kahi.output.console import LINE_LIMIT, LineFormatter
from kahi.output.logfile import LogFile
from kahi.output.ring import Ring


@given(st.lists(st.binary(max_size=50)), st.integers(0, 64), st.integers(-5, 300), st.integers(0, 100))
def test_the_ring_is_the_end_of_the_stream(pieces: list[bytes], limit: int, offset: int, length: int) -> None:
    ring = Ring(limit)
    for piece in pieces:
        ring.append(piece)
    everything = b"".join(pieces)
    begin, data = ring.read(offset, length)
    oldest = max(0, len(everything) - limit)
    assert begin == min(max(offset, oldest), len(everything))
    assert data == everything[begin : begin + length]


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 50), st.integers(0, 3))
def test_rotation_loses_nothing_but_the_oldest(pieces: list[bytes], maxbytes: int, backups: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "log")
        file = LogFile(path, maxbytes, backups)
        for piece in pieces:
            assert file.write(piece) == len(piece)
        file.close()
        kept = b""
        for name in [*(f"{path}.{number}" for number in range(backups, 0, -1)), path]:
            if os.path.exists(name):
                content = Path(name).read_bytes()
                assert len(content) <= maxbytes
                kept += content
        assert b"".join(pieces).endswith(kept)
        if backups == 3 and sum(map(len, pieces)) <= maxbytes:
            assert kept == b"".join(pieces)


def test_a_log_file_is_never_a_trap(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    os.link(target, tmp_path / "hard")
    (tmp_path / "directory").mkdir()
    for name in ("link", "hard", "directory"):
        with pytest.raises(OSError):  # noqa: PT011
            LogFile(str(tmp_path / name), 0, 0)
    assert target.read_text() == "precious"


COLORED = b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b(B \xc3\xa4\n"


@given(st.lists(st.integers(0, len(COLORED))))
def test_escape_sequences_go_however_they_are_split(cuts: list[int]) -> None:
    stripper = AnsiStripper()
    edges = [0, *sorted(cuts), len(COLORED)]
    pieces = [COLORED[a:b] for a, b in itertools.pairwise(edges)]
    assert b"".join(map(stripper.strip, pieces)) + stripper.finish() == b"red plain \xc3\xa4\n"


@given(st.lists(st.binary(max_size=30)))
def test_the_stripper_never_holds_for_ever(pieces: list[bytes]) -> None:
    stripper = AnsiStripper()
    out = b"".join(map(stripper.strip, pieces)) + stripper.finish()
    if b"\x1b" not in b"".join(pieces):
        assert out == b"".join(pieces)


def test_console_lines() -> None:
    formatter = LineFormatter("web", "stdout", "json", lambda: 0.5)
    assert formatter.feed(b"half ") == b""
    lines = formatter.feed(b'a line\n"quoted"\xff\nrest').splitlines()
    assert [json.loads(line)["log"] for line in lines] == ["half a line", '"quoted"\ufffd']
    assert json.loads(formatter.flush()) == {
        "time": "1970-01-01T00:00:00.500Z",
        "process": "web",
        "stream": "stdout",
        "log": "rest",
    }
    assert formatter.flush() == b""
    text = LineFormatter("web", "stdout", "text", lambda: 0)
    assert text.feed(b"hello\n") == b"1970-01-01T00:00:00.000Z web | hello\n"
    assert len(text.feed(b"x" * (LINE_LIMIT + 1))) > LINE_LIMIT
