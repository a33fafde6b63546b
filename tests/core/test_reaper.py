"""Which ended children are reaped, when, and what happens where the kernel gives nothing to watch."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

import pytest

from kahi.reaper import ORPHAN_GRACE, Reaper
from kahi.system import ExitInfo, System
from tests.core.fakes import FakeClockLoop


class Family(System):
    """Children that end, and are there until they are reaped."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[int] = []
        self.reaped: list[int] = []
        self.looks = 0

    def children(self) -> list[int]:
        self.looks += 1
        return list(self.ended)

    def peek_exit(self, pid: int) -> ExitInfo | None:
        if pid not in self.ended:
            raise ChildProcessError
        return ExitInfo(pid, 0, None)

    def reap(self, pid: int) -> None:
        self.ended.remove(pid)
        self.reaped.append(pid)

    def open_pidfd(self, pid: int) -> int | None:
        return None


@pytest.fixture
def loop() -> Iterator[FakeClockLoop]:
    made = FakeClockLoop()
    yield made
    made.close()


@pytest.fixture
def reaper(loop: FakeClockLoop) -> Iterator[Callable[[System], Reaper]]:
    made: list[Reaper] = []

    def of(system: System) -> Reaper:
        made.append(Reaper(system, loop, adopts_orphans=True))
        return made[-1]

    yield of
    for one in made:
        one.close()


def test_an_orphan_is_reaped_after_the_grace(loop: FakeClockLoop, reaper: Callable[[System], Reaper]) -> None:
    family = Family()
    family.ended = [7, 8]
    reaper(family)._on_sigchld()
    loop.pass_time(ORPHAN_GRACE / 2)
    assert family.reaped == []
    loop.pass_time(ORPHAN_GRACE)
    assert sorted(family.reaped) == [7, 8]


def test_who_ends_while_others_are_about_to_be_reaped_has_a_grace_of_its_own(
    loop: FakeClockLoop, reaper: Callable[[System], Reaper]
) -> None:
    """A sub-process of a plugin: whoever started it collects it, and gets its true status."""
    family = Family()
    family.ended = [7]
    reaper(family)._on_sigchld()
    loop.pass_time(ORPHAN_GRACE * 0.999)
    family.ended.append(9)
    loop.pass_time(ORPHAN_GRACE * 0.002)
    assert family.reaped == [7]
    family.ended.remove(9)
    loop.pass_time(5 * ORPHAN_GRACE)
    assert family.reaped == [7]


def test_a_storm_of_ends_is_looked_at_once(loop: FakeClockLoop, reaper: Callable[[System], Reaper]) -> None:
    family = Family()
    subject = reaper(family)
    for _ in range(1000):
        subject._on_sigchld()
    loop.settle()
    assert family.looks == 1


@pytest.mark.fault("R1", "R5")
def test_a_poller_without_room_falls_back_to_sigchld(
    loop: FakeClockLoop, reaper: Callable[[System], Reaper], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = Family()
    read_end, write_end = os.pipe()
    monkeypatch.setattr(family, "open_pidfd", lambda pid: read_end)

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(loop, "add_reader", no_room)
    told: list[int] = []
    subject = reaper(family)
    subject.watch(7, lambda: told.append(7))
    loop.settle()
    assert told == [7], "it may have ended already"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)
    subject._on_sigchld()
    assert told == [7, 7]
    os.close(write_end)


def test_a_child_that_somebody_else_has_reaped_is_looked_for(
    loop: FakeClockLoop, reaper: Callable[[System], Reaper], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = Family()

    def gone(pid: int) -> int:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    monkeypatch.setattr(family, "open_pidfd", gone)
    told: list[int] = []
    reaper(family).watch(7, lambda: told.append(7))
    loop.settle()
    assert told == [7]
