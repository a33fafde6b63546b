"""What there is: groups and processes by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kahi.definition import GroupDefinition, ProcessDefinition, SpawnSpec
from kahi.errors import NoSuchGroup, NoSuchProcess
from kahi.events import Event, ProcessGroupEvent
from kahi.supervisor.roster import Roster
from kahi.supervisor.watchers import Watchers
from tests.core.fakes import FakeClockLoop, FakeSystem, supervise


def group(name: str, *processes: str) -> GroupDefinition:
    """A group, its processes in the order given."""
    return GroupDefinition(
        name,
        999,
        tuple(
            ProcessDefinition(
                name=process,
                program=process.partition("_")[0],
                group=name,
                spawn=SpawnSpec(command=("/bin/prog",), stdin="null"),
            )
            for process in processes
        ),
    )


@pytest.fixture
def told() -> list[str]:
    """What the roster said of processes and groups."""
    return []


@pytest.fixture
def roster(told: list[str]) -> Iterator[Roster]:
    loop = FakeClockLoop()
    host = supervise(loop, FakeSystem(loop), [])._host

    def tell_of_group(event: Event) -> None:
        assert isinstance(event, ProcessGroupEvent)
        told.append(f"{'+' if event.added else '-'}[{event.group}]")

    host.events.subscribe(tell_of_group)
    yield Roster(
        host,
        Watchers(
            added=[lambda process: told.append(f"+{process.name}")],
            redefined=[lambda process: told.append(f"={process.name}")],
            removed=[lambda process: told.append(f"-{process.name}")],
        ),
    )
    host.reaper.close()
    loop.close()


def test_names_are_in_order_whenever_somebody_looks(roster: Roster) -> None:
    roster.add(group("z", "m", "a"))
    assert list(roster.processes) == ["a", "m"]
    roster.add(group("b", "c"))
    roster.redefine(roster.group("z"), group("z", "m", "a", "b"))
    assert list(roster.groups) == ["b", "z"]
    assert list(roster.processes) == ["a", "b", "c", "m"]
    assert [process.name for process in roster.group("z").processes] == ["m", "a", "b"]


def test_each_process_and_group_is_told_of(roster: Roster, told: list[str]) -> None:
    first = roster.add(group("g", "b", "a"))
    roster.redefine_process(roster.process("a"), roster.process("a").definition)
    roster.discard_process(first, roster.process("b"))
    roster.discard(first)
    assert told == ["+b", "+a", "+[g]", "=a", "-b", "-a", "-[g]"]


def test_a_name_that_is_taken_stays_with_who_has_it(roster: Roster) -> None:
    """It outlived the order to leave; the next reload looks again."""
    old = roster.add(group("old", "x"))
    process = roster.process("x")
    new = roster.add(group("new", "x", "y"))
    assert [each.name for each in new.processes] == ["y"]
    assert old.processes == [process] == [roster.process("x")]


def test_who_came_after_under_the_same_name_is_another(roster: Roster) -> None:
    before = roster.add(group("g", "x"))
    first = roster.process("x")
    assert first in roster
    roster.discard(before)
    assert first not in roster
    roster.add(group("g", "x"))
    assert first not in roster
    assert roster.process("x") in roster


def test_names_stand_for_a_process_or_for_those_of_a_program(roster: Roster) -> None:
    roster.add(group("g", "web_1", "web_0", "db"))
    assert [process.name for process in roster.named("web")] == ["web_0", "web_1"]
    assert [process.name for process in roster.named("db")] == ["db"]
    assert roster.named("nobody") == []
    with pytest.raises(NoSuchProcess):
        roster.process("web")
    with pytest.raises(NoSuchGroup):
        roster.group("web_0")
