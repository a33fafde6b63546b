"""Events, the bus and its queues."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from kahi.events import (
    TYPES,
    BufferOverflowEvent,
    ConfigEvent,
    Event,
    EventBus,
    PluginEvent,
    ProcessGroupEvent,
    ProcessHealthEvent,
    ProcessOutputEvent,
    ProcessStateEvent,
    RemoteCommunicationEvent,
    SupervisorStateEvent,
    TickEvent,
    matches,
    names_events,
)
from kahi.events.types import LogProblemEvent
from kahi.lifecycle import State


def group(name: str) -> ProcessGroupEvent:
    """Some event."""
    return ProcessGroupEvent(group=name, added=True)


def output(data: bytes = b"x") -> ProcessOutputEvent:
    """An event that the history does not keep."""
    return ProcessOutputEvent(name="web", group="web", pid=1, stream="stdout", data=data)


@pytest.fixture
def bus() -> EventBus:
    """A bus with a short memory."""
    return EventBus(lambda: 1.5, history=3)


EVERY_TYPE: list[Event] = [
    *(ProcessStateEvent(name="a", group="a", state=state.name, from_state="") for state in State),
    *(ProcessHealthEvent(name="a", group="a", healthy=healthy) for healthy in (True, False)),
    *(
        ProcessOutputEvent(name="a", group="a", pid=1, stream=stream, data=b"", captured=captured)
        for stream in ("stdout", "stderr")
        for captured in (False, True)
    ),
    LogProblemEvent(name="a", group="a", stream="stdout", problem="", lost_bytes=0),
    *(ProcessGroupEvent(group="a", added=added) for added in (True, False)),
    *(SupervisorStateEvent(state=state) for state in ("RUNNING", "STOPPING")),
    ConfigEvent(),
    ConfigEvent(error="no"),
    RemoteCommunicationEvent(kind="", data=b""),
    BufferOverflowEvent(pool="a", lost=1, drops=1),
    *(TickEvent(period=period, when=0) for period in (5, 60, 3600)),
]


def test_all_types_are_known() -> None:
    assert {event.type for event in EVERY_TYPE} == set(TYPES)


@pytest.mark.parametrize(
    ("wanted", "covers"),
    [
        ("PROCESS_STATE_EXITED", True),
        ("process_state", True),
        ("Process", True),
        ("event", True),
        ("PROCESS_STAT", False),
        ("PROCESS_STATE_EXITED_", False),
        ("TICK", False),
        ("", False),
    ],
)
def test_prefixes_end_at_an_underscore(wanted: str, covers: bool) -> None:
    assert matches("PROCESS_STATE_EXITED", (wanted,)) is covers


def test_names_of_events() -> None:
    assert names_events("tick")
    assert names_events("EVENT")
    assert not names_events("proces_state")


def test_serials_and_times(bus: EventBus) -> None:
    seen: list[Event] = []
    bus.subscribe(seen.append)
    for name in "ab":
        bus.publish(group(name))
    assert [(event.serial, event.time) for event in seen] == [(1, 1.5), (2, 1.5)]
    assert bus.last_serial == 2
    assert seen[0].payload() == {"group": "a", "added": True}


def test_events_are_immutable() -> None:
    with pytest.raises(AttributeError):
        group("a").group = "b"  # type: ignore[misc]


def test_events_of_plugins_have_their_own_prefix(bus: EventBus) -> None:
    seen: list[Event] = []
    bus.subscribe(seen.append, "kahi_notify")
    bus.publish(PluginEvent(plugin="kahi-notify", kind="sent", data={"to": "ops"}))
    assert [event.type for event in seen] == ["KAHI_NOTIFY_SENT"]
    assert seen[0].payload()["data"] == {"to": "ops"}


def test_everybody_sees_the_same_order(bus: EventBus) -> None:
    first: list[str] = []
    second: list[str] = []

    def answer(event: Event) -> None:
        first.append(event.group)  # type: ignore[attr-defined]
        if len(first) < 3:
            bus.publish(group(f"answer {len(first)}"))

    bus.subscribe(answer)
    bus.subscribe(lambda event: second.append(event.group))  # type: ignore[attr-defined]
    bus.publish(group("question"))
    assert first == second == ["question", "answer 1", "answer 2"]


@pytest.mark.fault("W4")
@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), asyncio.CancelledError()])
def test_one_that_raises_stops_no_other(
    bus: EventBus, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []

    def fail(_: Event) -> None:
        raise error

    first = bus.subscribe(fail)
    bus.subscribe(seen.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(group("a"))
        bus.publish(group("b"))
    assert len(seen) == first.errors == len(caplog.records) == 2


def test_errors_are_counted_by_owner(bus: EventBus) -> None:
    told: list[tuple[str, str]] = []

    def fail(_: Event) -> None:
        raise ValueError

    bus.guard(lambda _: "found", lambda owner, what, _: told.append((owner, what)))
    bus.subscribe(fail, owner="notify")
    bus.subscribe(fail)
    bus.publish(group("a"))
    assert told == [(owner, "subscriber of PROCESS_GROUP_ADDED") for owner in ("notify", "found")]
    bus.drop("found")
    bus.publish(group("b"))
    assert [owner for owner, _ in told] == ["notify", "found", "notify"]


def test_who_leaves_while_an_event_is_on_its_way_does_not_get_it(bus: EventBus) -> None:
    seen: list[Event] = []
    bus.subscribe(lambda _: second.close())
    second = bus.subscribe(seen.append)
    bus.publish(group("a"))
    assert not seen
    second.close()


def test_nobody_wants_what_nobody_subscribed_to(bus: EventBus) -> None:
    assert not bus.wanted("PROCESS_LOG_STDOUT")
    subscription = bus.subscribe(lambda _: None, "process_log")
    assert bus.wanted("PROCESS_LOG_STDOUT")
    assert not bus.wanted("TICK_5")
    subscription.close()
    assert not bus.wanted("PROCESS_LOG_STDOUT")


def test_the_history_is_bounded_and_knows_what_it_forgot(bus: EventBus) -> None:
    for name in "abcde":
        bus.publish(group(name))
        bus.publish(output())
    assert [event.serial for event in bus.history()] == [5, 7, 9]
    assert [event.serial for event in bus.history(since=5)] == [7, 9]
    assert [event.serial for event in bus.history(limit=1)] == [9]
    assert bus.history(limit=0) == []
    assert [event.serial for event in bus] == [5, 7, 9]
    assert not bus.remembers(2)
    assert bus.remembers(3)
    assert bus.remembers(4)
    assert bus.remembers(10)
    assert not bus.remembers(11)


def run(test: Callable[[], object]) -> None:
    """Run a coroutine function to its end."""
    asyncio.run(test())  # type: ignore[arg-type]


def test_a_queue_hands_out_batches(bus: EventBus) -> None:
    async def test() -> None:
        with bus.queue("process_group", owner="test") as queue:
            for name in "abc":
                bus.publish(group(name))
            bus.publish(output())
            assert [event.serial for event in await queue.batch()] == [1, 2, 3]
            assert queue.take() == []
            waiting = asyncio.create_task(queue.batch())
            await asyncio.sleep(0)
            bus.publish(group("d"))
            bus.publish(group("e"))
            assert [event.serial for event in await waiting] == [5, 6]
            for name in "fgh":
                bus.publish(group(name))
            assert len(queue.take(2)) == 2
            assert len(queue) == 1
        assert not bus.wanted("PROCESS_GROUP_ADDED")

    run(test)


def test_a_slow_consumer_loses_the_oldest_and_they_are_counted(bus: EventBus) -> None:
    queue = bus.queue(limit=2)
    for name in "abcde":
        bus.publish(group(name))
    assert [event.serial for event in queue.take()] == [4, 5]
    assert queue.dropped == 3


def test_a_closed_queue_ends_its_consumer(bus: EventBus) -> None:
    async def test() -> None:
        queue = bus.queue()
        taken: list[int] = []

        async def consume() -> None:
            async for batch in queue:
                taken.extend(event.serial for event in batch)

        consumer = asyncio.create_task(consume())
        await asyncio.sleep(0)
        bus.publish(group("a"))
        queue.close()
        bus.publish(group("b"))
        await consumer
        assert taken == [1]

    run(test)


def test_a_wait_that_is_cancelled_loses_nothing(bus: EventBus) -> None:
    async def test() -> None:
        queue = bus.queue()
        waiting = asyncio.create_task(queue.batch())
        await asyncio.sleep(0)
        bus.publish(group("a"))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(await queue.batch()) == 1

    run(test)


def test_a_queue_goes_on_where_the_history_ends(bus: EventBus) -> None:
    for name in "ab":
        bus.publish(group(name))
    bus.publish(ConfigEvent())
    queue = bus.queue("process_group", since=1)
    bus.publish(group("c"))
    assert [event.serial for event in queue.take()] == [2, 4]
