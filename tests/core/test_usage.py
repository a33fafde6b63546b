"""What process trees use."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kahi.ledger import CLOCK_TICK
from kahi.system import ProcessEntry, System
from kahi.system.table import read_ps
from kahi.usage import Load, LoadMeter, Usage, usage_of_trees
from tests.support import eventually


def entry(pid: int, parent: int, group: int, memory: int, cpu: float) -> ProcessEntry:
    return ProcessEntry(pid, parent, group, False, memory, cpu)


def test_descendants_and_members_of_the_group_count() -> None:
    table = [
        entry(1, 0, 1, 1000, 9.0),
        entry(10, 1, 10, 5, 1.0),
        entry(11, 10, 10, 6, 0.5),
        entry(12, 11, 12, 7, 0.25),
        # Orphaned, but still in the group.
        entry(13, 1, 10, 8, 0.125),
        entry(20, 1, 20, 50, 2.0),
    ]
    assert usage_of_trees(table, [10, 20, 99]) == {10: Usage(1.875, 26), 20: Usage(2.0, 50)}


def test_a_circle_in_a_table_that_changed_meanwhile_ends() -> None:
    table = [entry(10, 11, 1, 5, 1.0), entry(11, 10, 1, 5, 1.0)]
    assert usage_of_trees(table, [20]) == {}


class _WithoutProc(System):
    def process_table(self) -> list[ProcessEntry]:
        return read_ps(self.boottime())


def test_both_ways_of_reading_the_table_agree() -> None:
    busy = subprocess.Popen(
        [sys.executable, "-c", "x = bytearray(40 << 20)\nwhile True: pass"], start_new_session=True
    )
    try:
        for system in (System(), _WithoutProc()):
            eventually(
                lambda system=system: (
                    usage_of_trees(system.process_table(), [busy.pid])[busy.pid].cpu_seconds >= 1
                ),
                "a second of CPU time",
            )
            usage = usage_of_trees(system.process_table(), [busy.pid, os.getpid()])[busy.pid]
            assert 40 << 20 < usage.memory < 400 << 20
            assert usage.cpu_seconds < 60
    finally:
        busy.kill()
        busy.wait()


class _Scripted(System):
    """A process table and a clock that a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.cpu = 0.0

    def monotonic(self) -> float:
        return self.now

    def process_table(self) -> list[ProcessEntry]:
        return [entry(10, 1, 10, 1000, self.cpu), entry(11, 10, 10, 500, 0.0)]


def test_a_share_is_that_since_the_look_before_and_of_the_whole_life_at_first() -> None:
    system = _Scripted()
    meter = LoadMeter(system)
    system.cpu = 2.0
    assert meter.look({10: 4.0, 99: 1.0}) == {10: Load(50.0, 1500)}
    system.now, system.cpu = 110.0, 3.0
    assert meter.look({10: 14.0}) == {10: Load(10.0, 1500)}
    system.now, system.cpu = 120.0, 1.0
    assert meter.look({10: 24.0}) == {10: Load(0.0, 1500)}, "time that was lost to the tree is not negative"
    assert LoadMeter(system).look({10: 0.0}) == {10: Load(0.0, 1500)}


def test_both_ways_of_reading_the_table_tell_when_a_process_started() -> None:
    """``ps`` may say it a little too early, never too late: it rounds, and tells of a moment after the question."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        starts = [
            next(entry.started for entry in system.process_table() if entry.pid == child.pid)
            for system in (System(), _WithoutProc())
        ]
    finally:
        child.kill()
        child.wait()
    assert starts[0] - 60 < starts[1] <= starts[0] + CLOCK_TICK


def test_a_boot_has_a_name_also_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(path: str) -> str:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    monkeypatch.setattr("kahi.system.system.read_text", nothing)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert System().boot_id() == ""
    program = tmp_path / "sysctl"
    program.write_text('#!/bin/sh\n[ "$*" = "-n kern.bootsessionuuid" ] && echo 0123-4567\n')
    program.chmod(0o755)
    assert System().boot_id() == "0123-4567"
