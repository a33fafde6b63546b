"""Events for streams: replay without gap or overlap, and readers that do not keep up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from kahi.events import EventBus, ProcessGroupEvent, ProcessOutputEvent, ProcessStateEvent, TickEvent
from kahi_api.client.sse import ServerEvent, events
from kahi_api.event_feed import EventFeed, Wanted, event_stream_of, wanted_types
from kahi_api.streams import Streams

KEPT = wanted_types([], ["notify"])


def changed(name: str, state: str = "RUNNING", error: str = "") -> ProcessStateEvent:
    """A process is in another state."""
    return ProcessStateEvent(name=name, group="g", state=state, from_state="STARTING", spawn_error=error)


class World:
    """A bus, a feed and its streams."""

    def __init__(self, limit: int = 10_000, history: int = 1000) -> None:
        self.bus = EventBus(lambda: 1.5, history)
        self.feed = EventFeed(self.bus, limit)
        self.streams = Streams(100)

    def stream(self, wanted: Wanted, since: int | None = None) -> AsyncGenerator[bytes]:
        """One stream."""
        return event_stream_of(self.feed, self.streams, wanted, since)


async def read(stream: AsyncGenerator[bytes], count: int) -> list[ServerEvent]:
    """The next events of a stream."""
    found: list[ServerEvent] = []
    while len(found) < count:
        found += [event for event in events([await anext(stream)]) if event is not None]
    return found


def names(found: list[ServerEvent]) -> list[str]:
    return [json.loads(event.data)["name"] for event in found]


def test_only_what_is_wanted() -> None:
    async def run() -> None:
        world = World()
        stream = world.stream(Wanted(("process_state",), "a"))
        await anext(stream)
        for name in ("a", "b", "a"):
            world.bus.publish(changed(name))
        world.bus.publish(ProcessGroupEvent(group="g", added=True))
        found = await read(stream, 2)
        assert [event.id for event in found] == ["1", "3"]
        assert found[0].type == "PROCESS_STATE_RUNNING"
        assert json.loads(found[0].data) | {"pid": 0} == {
            "type": "PROCESS_STATE_RUNNING",
            "serial": 1,
            "time": "1970-01-01T00:00:01.500Z",
            **changed("a").payload(),
        }
        await stream.aclose()

    asyncio.run(run())


def test_blanks_between_types_are_fine() -> None:
    assert wanted_types([" process_state", "TICK ", " "], []) == ("PROCESS_STATE", "TICK")


def test_what_nobody_wants_is_not_asked_for() -> None:
    async def run() -> None:
        world = World()
        assert not world.bus.wanted("PROCESS_STATE_RUNNING")
        first, second = world.stream(Wanted(KEPT)), world.stream(Wanted(("TICK",)))
        await anext(first)
        assert world.bus.wanted("PROCESS_STATE_RUNNING")
        assert world.bus.wanted("NOTIFY_SENT")
        assert not world.bus.wanted("TICK_5")
        assert not world.bus.wanted("PROCESS_LOG_STDOUT")
        await anext(second)
        assert world.bus.wanted("TICK_5")
        await second.aclose()
        assert not world.bus.wanted("TICK_5")
        await first.aclose()
        assert not world.bus.wanted("PROCESS_STATE_RUNNING")

    asyncio.run(run())


def test_the_past_and_the_future_meet() -> None:
    async def run() -> None:
        world = World()
        for number in range(5):
            world.bus.publish(changed(f"old{number}"))
            world.bus.publish(TickEvent(period=5, when=1))
        stream = world.stream(Wanted(KEPT), since=3)
        await anext(stream)
        # Published while the reader has not even got the past.
        world.bus.publish(changed("new0"))
        assert names(await read(stream, 2)) == ["old2", "old3"]
        world.bus.publish(changed("new1"))
        assert names(await read(stream, 3)) == ["old4", "new0", "new1"]
        await stream.aclose()

    asyncio.run(run())


def test_what_the_history_has_forgotten_is_told() -> None:
    async def run() -> None:
        world = World(history=3)
        for number in range(10):
            world.bus.publish(changed(f"p{number}"))
        stream = world.stream(Wanted(KEPT), since=4)
        found = await read(stream, 4)
        assert (found[0].type, json.loads(found[0].data)) == ("dropped", {"events": 3})
        assert names(found[1:]) == ["p7", "p8", "p9"]
        await stream.aclose()

    asyncio.run(run())


def test_an_id_from_an_earlier_daemon() -> None:
    async def run() -> None:
        world = World()
        world.bus.publish(changed("a"))
        stream = world.stream(Wanted(KEPT), since=999)
        (reset,) = await read(stream, 1)
        assert (reset.type, reset.id, json.loads(reset.data)) == ("reset", "1", {"serial": 1})
        world.bus.publish(changed("b"))
        assert names(await read(stream, 1)) == ["b"]
        await stream.aclose()

    asyncio.run(run())


@pytest.mark.fault("A1")
def test_a_reader_that_does_not_keep_up_is_told_how_much_it_missed() -> None:
    async def run() -> None:
        world = World(limit=10_000)
        slow, quick = world.stream(Wanted(KEPT)), world.stream(Wanted(KEPT))
        await anext(slow)
        await anext(quick)
        total = 0
        for turn in range(100):
            for number in range(10):
                world.bus.publish(changed(f"p{turn * 10 + number}"))
            total += len(await read(quick, 10))
            assert world.feed._size <= 10_000
        assert total == 1000
        dropped, *rest = await read(slow, 2)
        missed = json.loads(dropped.data)["events"]
        assert dropped.type == "dropped"
        assert names(rest[:1]) == [f"p{missed}"]
        assert len(rest) == 1000 - missed
        await slow.aclose()
        await quick.aclose()
        assert not world.feed._entries

    asyncio.run(run())


@pytest.mark.fault("A10")
def test_what_comes_from_children_forges_no_event() -> None:
    async def run() -> None:
        world = World()
        stream = world.stream(Wanted(("EVENT",)))
        await anext(stream)
        evil = "x\r\n\r\nevent: evil\rid: 7\ndata: y\n\n"
        world.bus.publish(changed("a", error=evil))
        world.bus.publish(
            ProcessOutputEvent(name="a", group="a", pid=1, stream="stdout", data=evil.encode() + b"\xff")
        )
        found = await read(stream, 2)
        assert [event.type for event in found] == ["PROCESS_STATE_RUNNING", "PROCESS_LOG_STDOUT"]
        assert [event.id for event in found] == ["1", "2"]
        assert json.loads(found[0].data)["spawn_error"] == evil
        assert json.loads(found[1].data)["data"] == evil + "\ufffd"
        await stream.aclose()

    asyncio.run(run())


@pytest.mark.fault("S8")
def test_the_stream_ends_with_the_server() -> None:
    async def run() -> Any:
        world = World()
        stream = world.stream(Wanted(KEPT))
        await anext(stream)
        asyncio.get_running_loop().call_later(0.01, world.streams.close)
        return [piece async for piece in stream]

    assert asyncio.run(run()) == []
