"""Whether every byte that programs wrote is in their logs, once and in order, or counted as lost."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(rb"([0-9]{8}-[0-9a-f]{12}) ([0-9]{10})")
_MARK = re.compile(rb"\[kahi: ([0-9]+) bytes lost\]")
LENGTH = 33
"""Bytes of a line, its end too."""


@dataclass(frozen=True, slots=True)
class Record:
    """How many lines a run began and ended to write."""

    begun: int
    done: int


def records_of(directory: Path) -> dict[str, Record]:
    """The records of all runs of a process."""
    found: dict[str, Record] = {}
    for path in directory.iterdir() if directory.exists() else ():
        data = path.read_bytes()
        found[path.name] = Record(*struct.unpack("QQ", data)) if len(data) == 16 else Record(0, 0)
    return found


def problems(content: bytes, records: Mapping[str, Record], lost_elsewhere: int = 0) -> Iterator[str]:
    """What is wrong with the log of a process whose runs have all ended.

    Args:
        content: the log, rotated files too, oldest first.
        lost_elsewhere: bytes that are counted as lost, without a mark in the log.
    """
    counted = lost = gap = 0
    uncertain = 0
    """Lines before a mark whose end may have been lost, and put there again for the mark."""
    expected: dict[str, int] = {}
    seen_gap: dict[str, int] = {}
    lines = content.split(b"\n")
    if lines[-1] and not lost_elsewhere:
        yield f"it ends in the middle of a line: {lines[-1]!r}"
    for number, line in enumerate(lines):
        if mark := _MARK.fullmatch(line):
            gap += 1
            lost += int(mark[1])
            uncertain += number > 0 and _LINE.fullmatch(lines[number - 1]) is not None
            continue
        whole = _LINE.fullmatch(line)
        if whole is None:
            following = lines[number + 1] if number + 1 < len(lines) else b""
            if not line and number == len(lines) - 1:
                break
            if not _MARK.fullmatch(following) and number < len(lines) - 1:
                yield f"line {number} is none that was written: {line[:100]!r}"
            # What stands before a mark is the begin of a line, the rest of which was lost.
            counted += len(line)
            continue
        counted += LENGTH
        run, place = whole[1].decode(), int(whole[2])
        due = expected.get(run, 0)
        if place < due:
            yield f"line {place} of run {run} is there again, or too late"
        elif place > due and seen_gap.get(run, 0) == gap:
            yield f"run {run} goes from line {due - 1} to {place} with no mark between them"
        expected[run], seen_gap[run] = place + 1, gap
    for run in expected.keys() - records.keys():
        yield f"run {run} is none of this process"
    least = sum(record.done for record in records.values()) * LENGTH
    most = sum(record.begun for record in records.values()) * LENGTH
    if not least <= counted + lost + lost_elsewhere <= most + uncertain:
        yield (
            f"{least} to {most} bytes were written, {counted} are in the log, {lost + lost_elsewhere} "
            f"counted as lost"
        )
    if not lost + lost_elsewhere:
        for run, record in records.items():
            if not record.done <= expected.get(run, 0) <= record.begun:
                yield f"run {run} wrote {record.done} to {record.begun} lines, {expected.get(run, 0)} are there"


def shown_lines(output: bytes, name: str) -> bytes:
    """What a process printed on the console, from what the daemon printed there (``log_format = "json"``)."""
    found: list[str] = []
    for line in output.splitlines():
        if b'"process": "%s"' % name.encode() in line:
            entry = json.loads(line)
            if entry.get("process") == name:
                found.append(entry["log"])
    return "".join(f"{line}\n" for line in found).encode()
