"""Events for streams: encoded once for all of them, and kept in one bounded buffer.

A stream holds only its place in the buffer. One that does not keep up finds that the buffer has gone
on without it, and is told how many events it missed; nobody waits for it, and any number of such
streams cost no more memory than one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from kahi.events import TYPES, Event, EventBus, Subscription, matches
from kahi_api.limits import EVENTS_SIZE
from kahi_api.objects import rfc3339
from kahi_api.streams import ALIVE, BEGIN, Streams, encode_event

BATCH: Final = 64 * 1024
"""Bytes that are written to a stream at once, more or less."""

ON_DEMAND: Final = ("PROCESS_LOG", "PROCESS_COMMUNICATION", "TICK")
"""Events that are not in the history, and that only those get who name them."""


class Wanted:
    """Which events a reader wants: ``event in wanted``.

    Args:
        types: types or prefixes.
        process: the only process whose events are wanted; "" for all events.
    """

    __slots__ = ("_process", "_seen", "types")

    def __init__(self, types: tuple[str, ...], process: str = "") -> None:
        self.types = types
        self._process = process
        self._seen: dict[str, bool] = {}

    def __contains__(self, event: Event) -> bool:
        if self._process and self._process != getattr(event, "name", ""):
            return False
        kind = event.type
        if kind not in self._seen:
            self._seen[kind] = matches(kind, self.types)
        return self._seen[kind]


def wanted_types(names: Iterable[str], plugins: Iterable[str]) -> tuple[str, ...]:
    """What ``names`` ask for; without any, everything that the history keeps.

    Args:
        plugins: names of plugins, whose events begin with them.
    """
    found = tuple(name.strip().upper() for name in names if name.strip())
    if found:
        return found
    core = (kind for kind in TYPES if not matches(kind, ON_DEMAND))
    return (*core, *(name.replace("-", "_").upper() for name in plugins))


def event_object(event: Event) -> dict[str, Any]:
    """An event as JSON-ready values: its own fields, and what every event has."""
    return {
        **event.payload(),
        "type": event.type,
        "serial": event.serial,
        "time": rfc3339(event.time),
    }


def _encoded(event: Event) -> bytes:
    return encode_event(json.dumps(event_object(event)), event=event.type, event_id=event.serial)


class _Reader:
    """A stream's place in the feed."""

    __slots__ = ("position", "types", "wake")

    def __init__(self, types: tuple[str, ...], wake: Callable[[], None], position: int) -> None:
        self.types = types
        self.wake = wake
        self.position = position


class EventFeed:
    """The buffer behind all streams of events. Belongs to the event-loop thread.

    It subscribes to what its readers want, and to nothing while there are none.

    Args:
        limit: bytes of encoded events that are kept.
    """

    def __init__(self, bus: EventBus, limit: int = EVENTS_SIZE) -> None:
        self.bus = bus
        self._limit = limit
        self._entries: dict[int, tuple[Event, bytes]] = {}
        self._next = 0
        self._size = 0
        self._readers: set[_Reader] = set()
        self._subscription: Subscription | None = None
        self._types: frozenset[str] = frozenset()
        self._is_waking = False

    @contextmanager
    def reader(self, types: tuple[str, ...], wake: Callable[[], None]) -> Generator[_Reader]:
        """Have events of ``types`` come in from now on; ``wake`` is called when there are new ones."""
        reader = _Reader(types, wake, self._next)
        self._readers.add(reader)
        self._subscribe()
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            self._subscribe()
            if not self._readers:
                self._entries.clear()
                self._size = 0

    def take(self, reader: _Reader, wanted: Wanted) -> tuple[int, bytes]:
        """The next events of a reader.

        Returns:
            How many events gave way before it came for them, and about `BATCH` bytes of encoded events;
            both nothing when it has seen them all.
        """
        oldest = self._next - len(self._entries)
        missed = max(0, oldest - reader.position)
        reader.position = max(reader.position, oldest)
        taken: list[bytes] = []
        size = 0
        while reader.position < self._next and size < BATCH:
            event, encoded = self._entries[reader.position]
            reader.position += 1
            if event in wanted:
                taken.append(encoded)
                size += len(encoded)
        return missed, b"".join(taken)

    def _subscribe(self) -> None:
        types = frozenset(kind for reader in self._readers for kind in reader.types)
        if types == self._types:
            return
        self._types = types
        if self._subscription is not None:
            self._subscription.close()
        self._subscription = self.bus.subscribe(self._note, *types) if types else None

    def _note(self, event: Event) -> None:
        encoded = _encoded(event)
        self._entries[self._next] = (event, encoded)
        self._next += 1
        self._size += len(encoded)
        while self._size > self._limit:
            oldest = self._next - len(self._entries)
            self._size -= len(self._entries.pop(oldest)[1])
        if not self._is_waking:
            # Once for all events of one turn of the event loop.
            self._is_waking = True
            asyncio.get_running_loop().call_soon(self._wake_readers)

    def _wake_readers(self) -> None:
        self._is_waking = False
        for reader in self._readers:
            reader.wake()


async def event_stream_of(
    feed: EventFeed, streams: Streams, wanted: Wanted, since: int | None
) -> AsyncGenerator[bytes]:
    """Events as they happen, for as long as the reader stays.

    Args:
        since: the serial of the last event that it knows; None for news only.
    """
    with streams.wake() as wake, feed.reader(wanted.types, wake.set) as reader:
        # What is past and what is to come meet here, without a gap and without an overlap.
        past = [] if since is None else _past(feed.bus, wanted, since)
        yield BEGIN
        for encoded in past:
            yield encoded()
        while not wake.closing:
            missed, events = feed.take(reader, wanted)
            if missed:
                yield encode_event(json.dumps({"events": missed}), event="dropped")
            if events:
                yield events
            elif not await wake.wait():
                yield ALIVE


def _past(bus: EventBus, wanted: Wanted, since: int) -> list[Callable[[], bytes]]:
    """What a reader gets that knows everything up to an event; encoded when it is written."""
    last = bus.last_serial
    if since > last:
        # Of an earlier run of the daemon: nothing can be told of what came after it.
        return [partial(encode_event, json.dumps({"serial": last}), event="reset", event_id=last)]
    history = bus.history(since)
    told = [partial(_encoded, event) for event in history if event in wanted]
    if bus.remembers(since):
        return list(told)
    missed = history[0].serial - since - 1
    return [partial(encode_event, json.dumps({"events": missed}), event="dropped"), *told]
