"""What chaos runs say of logs that lack something."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.accounting import LENGTH, Record, problems, shown_lines

RUN, OTHER = "00000011-0000000000ab", "00000012-0000000000cd"


def line(number: int, run: str = RUN) -> bytes:
    """A line of a run."""
    return b"%s %010d\n" % (run.encode(), number)


def lines(*numbers: int, run: str = RUN) -> bytes:
    """Lines of a run."""
    return b"".join(line(number, run) for number in numbers)


def mark(lost: int) -> bytes:
    """What Kahi puts where bytes are missing."""
    return b"[kahi: %d bytes lost]\n" % lost


def test_the_length_of_a_line() -> None:
    assert len(line(0)) == LENGTH


@pytest.mark.parametrize(
    "content",
    [
        b"",
        lines(0, 1, 2),
        lines(0) + mark(2 * LENGTH) + lines(3),
        lines(0) + line(1)[:7] + b"\n" + mark(2 * LENGTH - 7) + lines(3),
        lines(0) + line(1)[:-1] + b"\n" + mark(2 * LENGTH + 1),
        lines(0, 1) + mark(2 * LENGTH),
        lines(0) + mark(LENGTH) + lines(2) + mark(LENGTH),
    ],
)
def test_what_is_whole(content: bytes) -> None:
    count = 3 if content == lines(0, 1, 2) else 4 if content else 0
    assert list(problems(content, {RUN: Record(count, count)})) == []


def test_runs_that_follow_each_other_and_one_that_was_killed() -> None:
    content = lines(0, 1) + lines(0, run=OTHER)
    for killed in (Record(2, 2), Record(3, 2), Record(2, 1)):
        assert list(problems(content, {RUN: killed, OTHER: Record(1, 1)})) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (lines(0, 2, 3), "from line 0 to 2 with no mark"),
        (lines(0, 1, 1, 2, 3), "line 1 of run .* again"),
        (lines(0, 2, 1, 3), "again, or too late"),
        (lines(0, 1, 2), "132 to 132 bytes were written, 99 are in the log, 0 counted"),
        (lines(0, 1, 2), "wrote 4 to 4 lines, 3 are there"),
        (lines(0, 1, 2, 3, 4), "165 are in the log"),
        (lines(0) + mark(LENGTH) + lines(3), "132 to 132 bytes were written, 66 are in the log, 33 counted"),
        (lines(0, 1, 2, 3)[:-1], "ends in the middle"),
        (lines(0) + b"garbage\n" + lines(1, 2, 3), "line 1 is none that was written"),
        (lines(0, 1) + line(2)[:5] + line(3), "line 2 is none that was written"),
        (lines(0, 1, 2, 3) + lines(0, run=OTHER), "is none of this process"),
    ],
)
def test_what_is_missing_doubled_or_strange(content: bytes, complaint: str) -> None:
    found = list(problems(content, {RUN: Record(4, 4)}))
    assert any(re.search(complaint, each) for each in found), found


@given(st.integers(1, 30), st.data())
def test_any_line_that_is_taken_out_is_missed(count: int, data: st.DataObject) -> None:
    missing = data.draw(st.integers(0, count - 1))
    content = lines(*(number for number in range(count) if number != missing))
    assert list(problems(content, {RUN: Record(count, count)}))


def test_what_was_shown_on_the_console() -> None:
    output = (
        b'{"process": "shown", "log": "a"}\n{"process": "other", "log": "\\"process\\": \\"shown\\""}\nx\n'
    )
    assert shown_lines(output, "shown") == b"a\n"
