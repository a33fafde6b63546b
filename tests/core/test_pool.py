"""Pools of listeners on a fake clock, with listeners that do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kahi.definition import ListenerSettings
from kahi.errors import NotRunning, StdinFull
from kahi.events import (
    BufferOverflowEvent,
    Event,
    EventBus,
    ProcessGroupEvent,
    ProcessOutputEvent,
    TickEvent,
)
from kahi.lifecycle import State
from kahi.listeners.pool import LONGEST_PAUSE, Pool
from kahi.listeners.ticks import Ticks
from tests.core.fakes import FakeClockLoop, FakeSystem


class FakeListener:
    """A process that is a listener."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 1
        self.state = State.RUNNING
        self.got: list[bytes] = []
        self.error: Exception | None = None
        self.stdout = self
        self.heard: Callable[[int, bytes], None] | None = None

    def tap(self, tap: Callable[[int, bytes], None] | None) -> None:
        self.heard = tap

    def write_stdin(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.got.append(data)

    def says(self, data: bytes) -> None:
        assert self.heard is not None
        self.heard(self.pid, data)

    @property
    def groups(self) -> list[str]:
        """The groups of the events it got."""
        return [data.partition(b"groupname:")[2].strip().decode() for data in self.got]


class Scene:
    """A pool, a clock and a bus."""

    def __init__(self) -> None:
        self.loop = FakeClockLoop()
        self.system = FakeSystem(self.loop)
        self.bus = EventBus(self.system.wall_clock)
        self.restarted: list[tuple[str, str]] = []
        self.settled: list[str] = []
        self.pool = self.make("mail", 10)

    def make(self, name: str, buffer_size: int, *events: str, identifier: str = "kahi") -> Pool:
        settings = ListenerSettings(events or ("PROCESS_GROUP",), buffer_size)
        return Pool(
            name,
            settings,
            self.bus,
            self.loop,
            identifier=identifier,
            restart=lambda process, reason: self.restarted.append((process.name, reason)),
            settled=lambda process: self.settled.append(process.name),
        )

    def listener(self, name: str, pool: Pool | None = None) -> Any:
        listener = FakeListener(name)
        (pool or self.pool).add(listener)  # type: ignore[arg-type]
        return listener

    def publish(self, *names: str) -> None:
        for name in names:
            self.bus.publish(ProcessGroupEvent(group=name, added=True))


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.pool.close()
    scene.loop.close()


def test_an_event_goes_to_a_ready_listener_with_its_header(scene: Scene) -> None:
    one = scene.listener("one")
    scene.publish("a")
    assert one.got == []
    one.says(b"READY\n")
    assert one.got == [
        b"ver:3.0 server:kahi serial:1 pool:mail poolserial:0 eventname:PROCESS_GROUP_ADDED len:12\n"
        b"groupname:a\n"
    ]
    scene.publish("b")
    assert len(one.got) == 1
    one.says(b"RESULT 2\nOKREADY\n")
    assert one.groups == ["a", "b"]
    assert scene.settled == ["one"]


def test_the_length_counts_characters_as_supervisord_does(scene: Scene) -> None:
    pool = scene.make("p", 10, "PROCESS_LOG", identifier="my host:1")
    one = scene.listener("one", pool)
    one.says(b"READY\n")
    scene.bus.publish(ProcessOutputEvent(name="w", group="w", pid=1, stream="stdout", data="\xe5".encode()))
    head, _, payload = one.got[0].partition(b"\n")
    assert int(head.rpartition(b":")[2]) == len(payload.decode()) == len(payload) - 1
    assert b" server:my-host-1 " in head


def test_each_event_goes_to_one_of_the_pool(scene: Scene) -> None:
    one, two, three = (scene.listener(name) for name in ("one", "two", "three"))
    for each in (one, two, three):
        each.says(b"READY\n")
    scene.publish("a", "b", "c", "d")
    assert [one.groups, two.groups, three.groups] == [["a"], ["b"], ["c"]]
    two.says(b"RESULT 2\nOKREADY\n")
    assert two.groups == ["b", "d"]


@pytest.mark.parametrize("answer", [b"RESULT 4\nFAIL", b"RESULT 3\nhuh", b"RESULT 0\n"])
def test_what_was_refused_comes_again_later_and_later(scene: Scene, answer: bytes) -> None:
    one = scene.listener("one")
    one.says(b"READY\n")
    scene.publish("a")
    pauses: list[float] = []
    for number in range(2, 13):
        refused = scene.loop.time()
        one.says(answer + b"READY\n")
        while len(one.got) < number:
            scene.loop.pass_time(0.1)
        pauses.append(scene.loop.time() - refused)
    assert len(set(one.got)) == 1
    assert pauses[0] == pytest.approx(0.1, abs=0.01)
    assert pauses[1] == pytest.approx(0.2, abs=0.11)
    assert LONGEST_PAUSE <= pauses[-1] < LONGEST_PAUSE + 0.2
    assert scene.settled == []


def test_an_event_that_is_refused_for_days_is_not_lost(scene: Scene) -> None:
    one = scene.listener("one")
    one.says(b"READY\n")
    scene.publish("a")
    for number in range(1, 1100):
        assert len(one.got) == number
        one.says(b"RESULT 4\nFAILREADY\n")
        scene.loop.finish(asyncio.sleep(LONGEST_PAUSE + 1))
    one.says(b"RESULT 2\nOK")
    assert scene.pool.is_idle


def test_what_was_refused_does_not_hold_up_the_rest(scene: Scene) -> None:
    one = scene.listener("one")
    one.says(b"READY\n")
    scene.publish("a", "b", "c")
    one.says(b"RESULT 4\nFAILREADY\n")
    one.says(b"RESULT 2\nOKREADY\n")
    one.says(b"RESULT 2\nOKREADY\n")
    assert one.groups == ["a", "b", "c"]
    scene.loop.pass_time(0.2)
    assert one.groups == ["a", "b", "c", "a"]
    one.says(b"RESULT 2\nOK")
    assert scene.pool.is_idle


def test_the_first_pause_to_end_counts(scene: Scene) -> None:
    one, two = scene.listener("one"), scene.listener("two")
    one.says(b"READY\n")
    scene.publish("old")
    for _ in range(6):
        one.says(b"RESULT 4\nFAILREADY\n")
        scene.loop.pass_time(4)
    one.says(b"RESULT 4\nFAIL")
    two.says(b"READY\n")
    scene.publish("new")
    two.says(b"RESULT 4\nFAILREADY\n")
    scene.loop.pass_time(0.15)
    assert two.groups == ["new", "new"]


@pytest.mark.fault("W4")
def test_a_full_buffer_drops_the_oldest_counts_them_and_says_so_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []
    scene.bus.subscribe(seen.append, "EVENT_BUFFER_OVERFLOW")
    one = scene.listener("one")
    one.says(b"READY\n")
    scene.publish(*(f"g{number}" for number in range(101)))
    assert one.groups == ["g0"]
    assert scene.pool.drops == 90
    assert [(event.pool, event.lost, event.drops) for event in seen] == [("mail", 2, 1)]  # type: ignore[attr-defined]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    for _ in range(11):
        one.says(b"RESULT 2\nOKREADY\n")
    assert one.groups == ["g0", *(f"g{number}" for number in range(91, 101))]
    assert "90 events gave way" in caplog.records[-1].getMessage()
    scene.publish(*(f"h{number}" for number in range(12)))
    assert len(seen) == 2
    assert scene.pool.drops == 91


def test_a_buffer_of_one_loses_nothing_while_somebody_is_ready(scene: Scene) -> None:
    pool = scene.make("p", 1)
    one = scene.listener("one", pool)
    for number in range(5):
        one.says(b"READY\n" if number == 0 else b"RESULT 2\nOKREADY\n")
        scene.publish(f"g{number}")
    assert pool.drops == 0


def test_what_comes_back_into_a_full_buffer_is_the_oldest(scene: Scene) -> None:
    pool = scene.make("p", 2)
    one = scene.listener("one", pool)
    one.says(b"READY\n")
    scene.publish("a", "b", "c")
    one.says(b"RESULT 4\nFAIL")
    assert pool.drops == 1
    one.says(b"READY\n")
    one.says(b"RESULT 2\nOKREADY\n")
    assert one.groups == ["a", "b", "c"]


def test_a_pool_is_not_told_of_its_own_losses_nor_of_what_it_prints(scene: Scene) -> None:
    pool = scene.make("p", 1, "EVENT")
    scene.listener("one", pool)
    scene.bus.publish(BufferOverflowEvent(pool="p", lost=1, drops=1))
    scene.bus.publish(ProcessOutputEvent(name="one", group="p", pid=1, stream="stderr", data=b"x"))
    assert pool.is_idle
    scene.bus.publish(ProcessOutputEvent(name="two", group="p", pid=1, stream="stderr", data=b"x"))
    assert not pool.is_idle


@pytest.mark.fault("W4")
def test_one_that_never_answers_holds_up_nobody_else(scene: Scene) -> None:
    hung, good = scene.listener("hung"), scene.listener("good")
    hung.says(b"READY\n")
    other_pool = scene.make("other", 10)
    other = scene.listener("other", other_pool)
    other.says(b"READY\n")
    scene.publish("a")
    good.says(b"READY\n")
    scene.publish("b", "c")
    good.says(b"RESULT 2\nOKREADY\n")
    assert [hung.groups, good.groups, other.groups] == [["a"], ["b", "c"], ["a"]]


@pytest.mark.fault("W4")
def test_a_violation_restarts_the_listener_and_its_event_goes_to_another(scene: Scene) -> None:
    bad, good = scene.listener("bad"), scene.listener("good")
    bad.says(b"READY\n")
    scene.publish("a")
    good.says(b"READY\n")
    bad.says(b"Traceback (most recent call last):\n")
    ((name, reason),) = scene.restarted
    assert name == "bad"
    assert reason.startswith("broke the listener protocol: it said 'Traceback")
    assert bad.heard is None
    scene.loop.pass_time(0.2)
    assert good.groups == ["a"]
    bad.state = State.STARTING
    scene.pool.process_changed(bad)
    scene.publish("b")
    bad.says(b"READY\n")
    assert bad.groups == ["a", "b"]


@pytest.mark.parametrize("state", [State.EXITED, State.BACKOFF, State.FATAL, State.STOPPED])
def test_the_event_of_one_that_died_goes_to_another(scene: Scene, state: State) -> None:
    dying, good = scene.listener("dying"), scene.listener("good")
    dying.says(b"READY\n")
    scene.publish("a")
    dying.state = state
    scene.pool.process_changed(dying)
    good.says(b"READY\n")
    scene.loop.pass_time(0.2)
    assert good.groups == ["a"]


def test_one_that_is_being_stopped_gets_nothing_more_but_may_answer(scene: Scene) -> None:
    one = scene.listener("one")
    one.says(b"READY\n")
    scene.publish("a", "b")
    one.state = State.STOPPING
    scene.pool.process_changed(one)
    one.says(b"RESULT 2\nOKREADY\n")
    assert one.groups == ["a"]
    assert scene.settled == ["one"]


@pytest.mark.parametrize("error", [NotRunning("one"), StdinFull("one")])
def test_an_event_that_can_not_be_written_stays(scene: Scene, error: Exception) -> None:
    one, two = scene.listener("one"), scene.listener("two")
    one.error = error
    one.says(b"READY\n")
    scene.publish("a")
    two.says(b"READY\n")
    assert two.groups == ["a"]


def test_what_an_earlier_child_left_behind_says_counts_for_nothing(scene: Scene) -> None:
    one = scene.listener("one")
    one.heard(2, b"READY\n")
    scene.publish("a")
    assert one.got == []


def test_other_events_and_less_room_count_at_once(scene: Scene) -> None:
    one = scene.listener("one")
    scene.publish("a", "b", "c")
    scene.pool.reconfigure(ListenerSettings(("TICK",), 1))
    scene.publish("d")
    scene.bus.publish(TickEvent(period=5, when=5))
    assert scene.pool.drops == 3
    one.says(b"READY\n")
    assert one.got[0].endswith(b"eventname:TICK_5 len:6\nwhen:5")


def test_one_that_leaves_gives_its_event_back(scene: Scene) -> None:
    one, two = scene.listener("one"), scene.listener("two")
    one.says(b"READY\n")
    scene.publish("a")
    scene.pool.remove(one)
    assert one not in scene.pool
    two.says(b"READY\n")
    scene.loop.pass_time(0.2)
    assert two.groups == ["a"]
    scene.pool.remove(two)
    assert scene.pool.is_empty


def test_a_closed_pool_takes_nothing(scene: Scene) -> None:
    one = scene.listener("one")
    one.says(b"READY\n")
    scene.publish("a")
    one.says(b"RESULT 4\nFAILREADY\n")
    scene.pool.close()
    scene.publish("b")
    scene.loop.pass_time(1)
    assert one.groups == ["a"]


class TestTicks:
    """The clock for listeners."""

    def test_it_goes_only_while_somebody_listens(self, scene: Scene) -> None:
        ticks = Ticks(scene.bus, scene.system, scene.loop)
        seen: list[TickEvent] = []
        scene.loop.pass_time(20)
        assert scene.bus.last_serial == 0
        subscription = scene.bus.subscribe(seen.append, "TICK_5")  # type: ignore[arg-type]
        scene.loop.pass_time(15.1)
        whens = [event.when for event in seen]
        assert len(whens) == 3
        assert all(when % 5 == 0 for when in whens)
        assert whens == list(range(whens[0], whens[0] + 15, 5))
        assert {event.period for event in seen} == {5}
        subscription.close()
        scene.loop.pass_time(20)
        assert len(seen) == 3
        ticks.close()

    def test_a_prefix_wants_every_period(self, scene: Scene) -> None:
        ticks = Ticks(scene.bus, scene.system, scene.loop)
        seen: list[str] = []
        scene.bus.subscribe(lambda event: seen.append(event.type), "tick")
        scene.loop.pass_time(3601)
        assert {name: seen.count(name) for name in set(seen)} == {
            "TICK_5": 720,
            "TICK_60": 60,
            "TICK_3600": 1,
        }
        ticks.close()
        scene.loop.pass_time(10)
        assert len(seen) == 781

    def test_no_tick_comes_twice_when_the_wall_clock_is_slow(self, scene: Scene) -> None:
        ticks = Ticks(scene.bus, scene.system, scene.loop)
        begin = scene.loop.time()
        scene.system.wall_clock = lambda: 1.7e9 + begin + (scene.loop.time() - begin) * 0.99  # type: ignore[method-assign]
        seen: list[int] = []
        scene.bus.subscribe(lambda event: seen.append(event.when), "TICK_60")  # type: ignore[attr-defined]
        scene.loop.pass_time(300)
        assert len(seen) == len(set(seen)) >= 4
        ticks.close()
