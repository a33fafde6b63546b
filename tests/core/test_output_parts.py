"""The small parts of the output side: ring, lines, captured parts, escape sequences, console."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.output.ansi import AnsiStripper
from kahi.output.capture import BEGIN, END, Capture
from kahi.output.console import Console, LineFormatter
from kahi.output.lines import LINE_LIMIT, LineGatherer, LineSplitter
from kahi.output.logreader import LogRead
from kahi.output.ring import Ring
from kahi.system import System


@given(st.lists(st.binary(max_size=50)), st.integers(0, 64), st.integers(-50, 300), st.integers(0, 100))
def test_the_ring_is_the_end_of_the_stream(pieces: list[bytes], limit: int, offset: int, length: int) -> None:
    ring = Ring(limit)
    for piece in pieces:
        ring.write(piece)
    everything = b"".join(pieces)
    end = len(everything)
    found = ring.read(offset, length)
    if offset > end:
        assert found == LogRead(b"", end, ahead=True)
        return
    wanted = offset if offset >= 0 else max(0, end + offset)
    begin = max(wanted, end - limit, 0)
    assert found.data == everything[begin : begin + length]
    assert found.offset == begin + len(found.data)
    assert found.missed == (begin - wanted if offset >= 0 else 0)


TEXT = st.lists(
    st.sampled_from([b"a", b"\n", b"\xc3\xa4", b"\xff", b"word ", b"x" * 7, b"\r", b"\x00"]), max_size=40
).map(b"".join)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` in pieces."""
    edges = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(TEXT, st.lists(st.integers(0, 60), max_size=6), st.integers(4, 20))
def test_lines_do_not_depend_on_how_they_come(data: bytes, cuts: list[int], limit: int) -> None:
    def lines(pieces: list[bytes]) -> list[bytes]:
        splitter = LineSplitter(limit)
        found = [line for piece in pieces for line in splitter.feed(piece)]
        rest = splitter.flush()
        return [*found, rest] if rest else found

    found = lines(cut(data, cuts))
    assert found == lines([data])
    assert all(len(line) <= limit and b"\n" not in line for line in found)
    assert b"".join(found) == data.replace(b"\n", b"")


@given(TEXT, st.lists(st.integers(0, 60), max_size=6))
def test_gathered_lines_are_whole(data: bytes, cuts: list[int]) -> None:
    gatherer = LineGatherer()
    pieces = [gatherer.feed(piece) for piece in cut(data, cuts)]
    assert all(piece.endswith(b"\n") for piece in pieces if piece)
    assert b"".join(pieces) + gatherer.flush() == data


@pytest.mark.fault("L7")
def test_an_endless_line_is_not_held() -> None:
    splitter, gatherer = LineSplitter(), LineGatherer()
    piece = b"\xc3\xa4" * 5000
    split = [line for _ in range(100) for line in splitter.feed(piece)]
    assert {len(line) for line in split} == {LINE_LIMIT}
    assert b"".join(split) + splitter.flush() == piece * 100
    gathered = [gatherer.feed(piece) for _ in range(100)]
    assert max(map(len, gathered)) <= LINE_LIMIT + len(piece)
    assert b"".join(gathered) + gatherer.flush() == piece * 100


@given(st.lists(st.sampled_from([BEGIN, END, BEGIN[:9], END[:7], b"<", b"log ", b"\n"]), max_size=12).map(b"".join),
       st.lists(st.integers(0, 200), max_size=8))  # fmt: skip
def test_captured_parts_do_not_depend_on_how_they_come(data: bytes, cuts: list[int]) -> None:
    def captured(pieces: list[bytes]) -> tuple[bytes, list[bytes]]:
        parts: list[bytes] = []
        capture = Capture(1000, lambda part, _: parts.append(part))
        logged = b"".join(map(capture.feed, pieces)) + capture.finish()
        return logged, parts

    found = captured(cut(data, cuts))
    assert found == captured([data])
    logged, parts = found
    assert len(logged) + sum(map(len, parts)) <= len(data)
    if BEGIN not in data:
        assert found == (data, [])


def test_of_a_long_captured_part_the_end_is_kept() -> None:
    parts: list[tuple[bytes, int]] = []
    capture = Capture(10, lambda part, overflow: parts.append((part, overflow)))
    assert capture.feed(b"before" + BEGIN + b"0123456789") == b"before"
    assert capture.feed(b"abc" + END + b"after" + BEGIN + b"open") == b"after"
    assert capture.finish() == b""
    assert parts == [(b"3456789abc", 3), (b"open", 0)]


SEQUENCES = st.lists(
    st.sampled_from(
        [
            b"\x1b",
            b"[",
            b"]",
            b"P",
            b"X",
            b"(",
            b"B",
            b"1",
            b";",
            b"m",
            b"\x07",
            b"\\",
            b"a",
            b"\n",
            b"\xc3",
            b"\x9b",
        ]
    ),
    max_size=14,
).map(b"".join)


@given(SEQUENCES, st.lists(st.integers(0, 20), max_size=4))
def test_stripping_does_not_depend_on_how_it_comes(data: bytes, cuts: list[int]) -> None:
    def stripped(pieces: list[bytes]) -> bytes:
        stripper = AnsiStripper()
        return b"".join(map(stripper.strip, pieces)) + stripper.finish()

    assert stripped(cut(data, cuts)) == stripped([data])


COLORED = b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b(B \xc3\xa4\n"


@given(st.lists(st.integers(0, len(COLORED))))
def test_escape_sequences_go_however_they_are_split(cuts: list[int]) -> None:
    stripper = AnsiStripper()
    edges = [0, *sorted(cuts), len(COLORED)]
    pieces = [COLORED[a:b] for a, b in itertools.pairwise(edges)]
    assert b"".join(map(stripper.strip, pieces)) + stripper.finish() == b"red plain \xc3\xa4\n"


@pytest.mark.fault("L7")
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


@pytest.mark.fault("L7")
def test_controls_that_json_lets_pass_are_escaped() -> None:
    formatter = LineFormatter("web", "stdout", "json", lambda: 0)
    line = formatter.feed("a\x1b\x7f\x9b\u2028ä\n".encode())
    assert json.loads(line)["log"] == "a\x1b\x7f\x9b\u2028ä"
    assert not set(line.decode()) & set("\x1b\x7f\x9b\u2028")
    assert "ä" in line.decode()


class BrokenSystem(System):
    """Writes end as a test says: a number of bytes that are taken, or an error."""

    def __init__(self, *results: int | OSError) -> None:
        super().__init__()
        self.results = list(results)
        self.written = b""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        result = self.results.pop(0) if self.results else len(data)
        if isinstance(result, OSError):
            raise result
        taken = min(result, len(data))
        self.written += bytes(data[:taken])
        return taken


@pytest.mark.fault("S6")
def test_a_console_that_refuses_loses_and_counts_and_begins_a_new_line() -> None:
    full = OSError(28, "No space left on device")
    system = BrokenSystem(3, full, full, 1000)
    troubles: list[tuple[str, int]] = []
    console = Console(1, system, lambda problem, lost: troubles.append((problem, lost)))
    for line in (b"first\n", b"second\n", b"third\n", b"fourth\n"):
        console.write(line)
    assert system.written == b"fir\nthird\nfourth\n"
    assert console.lost_bytes == len(b"st\nsecond\n")
    assert troubles == [("cannot write to stdout: No space left on device", 3), ("", 10)]
