"""A pool of listeners: events wait in one bounded buffer, and each goes to one that is ready."""

from __future__ import annotations

import asyncio
import logging
import re
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from kahi.definition import ListenerSettings
from kahi.errors import NotRunning, StdinFull
from kahi.events import BufferOverflowEvent, Event, EventBus, ProcessOutputEvent
from kahi.events.wire import own_name, wire_name, wire_payload
from kahi.lifecycle import UP, State
from kahi.listeners.protocol import ListenerProtocol, ListenerState, Saying, Word
from kahi.process import Process

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
"""Seconds before an event that was refused is offered again; twice as long each time."""

MOST_DOUBLINGS: Final = 16
"""Enough to reach the longest pause; beyond some thousand a number is too large to be one of seconds."""

_UNSAFE: Final = re.compile(r"[\s:]")

Restart = Callable[[Process, str], None]


@dataclass(slots=True, eq=False)
class Waiting:
    """An event on its way through a pool.

    Args:
        serial: its number in the pool.
        refusals: how often it was not dealt with, ``due`` the time before which it is not offered.
    """

    event: Event
    serial: int
    refusals: int = 0
    due: float = 0.0


@dataclass(slots=True, eq=False)
class Member:
    """One listener, and the event it works on."""

    process: Process
    protocol: ListenerProtocol
    at_work: Waiting | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can be given an event."""
        is_up = self.process.state in (State.STARTING, State.RUNNING)
        return is_up and self.protocol.state is ListenerState.READY


class Pool:
    """The listeners of one table. Belongs to the event-loop thread.

    Args:
        name: the table's name.
        identifier: the daemon's, for the headers.
        restart: restarts a listener that broke the protocol.
        settled: told of a listener that dealt with an event.
    """

    def __init__(
        self,
        name: str,
        settings: ListenerSettings,
        events: EventBus,
        loop: asyncio.AbstractEventLoop,
        *,
        identifier: str,
        restart: Restart,
        settled: Callable[[Process], None],
    ) -> None:
        self.name = name
        self.drops = 0
        """Events that gave way to later ones since the pool was made."""
        self._settings = settings
        self._events = events
        self._loop = loop
        self._server = _UNSAFE.sub("-", identifier)
        self._restart = restart
        self._settled = settled
        self._members: dict[str, Member] = {}
        self._buffer: list[Waiting] = []
        self._next_serial = 0
        self._overflowing = False
        self._timer: asyncio.TimerHandle | None = None
        self._curious: list[asyncio.Future[None]] = []
        self._subscription = events.subscribe(self._accept, *map(own_name, settings.events))

    def __contains__(self, process: Process) -> bool:
        return process.name in self._members

    @property
    def is_empty(self) -> bool:
        """Whether it has no listener any more."""
        return not self._members

    @property
    def is_idle(self) -> bool:
        """Whether no event waits or is worked on."""
        return not self._buffer and all(member.at_work is None for member in self._members.values())

    @property
    def is_up(self) -> bool:
        """Whether any of its listeners runs and follows the protocol."""
        return any(
            member.process.state in (State.STARTING, State.RUNNING)
            and member.protocol.state is not ListenerState.UNKNOWN
            for member in self._members.values()
        )

    async def hears(self) -> None:
        """Return when one of its listeners has said something."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._curious.append(future)
        await future

    # Its listeners

    def add(self, process: Process) -> None:
        """Take in a listener."""
        member = Member(process, ListenerProtocol())
        self._members[process.name] = member
        self._listen_to(member)

    def _listen_to(self, member: Member) -> None:
        member.process.stdout.tap(partial(self._heard, member))

    def remove(self, process: Process) -> None:
        """Let go of a listener; its event goes to another."""
        process.stdout.tap(None)
        self._take_back(self._members.pop(process.name))

    def reconfigure(self, settings: ListenerSettings) -> None:
        """Take over other settings; nothing that waits gets lost, unless there is less room."""
        if settings.events != self._settings.events:
            self._subscription.close()
            self._subscription = self._events.subscribe(self._accept, *map(own_name, settings.events))
        self._settings = settings
        self._make_room()

    def close(self) -> None:
        """Take no more events and forget those that wait."""
        self._subscription.close()
        self._buffer.clear()
        self._cancel_timer()

    def process_changed(self, process: Process) -> None:
        """Note that the state of one of its listeners has changed."""
        member = self._members[process.name]
        if process.state is State.STARTING or process.state not in UP:
            # A new child, or none: whatever the last one was about to say is void.
            if member.protocol.state is ListenerState.UNKNOWN:
                self._listen_to(member)
            member.protocol = ListenerProtocol()
            self._take_back(member)

    # Events

    def _accept(self, event: Event) -> None:
        if self._is_own(event):
            return
        self._buffer.append(Waiting(event, self._next_serial))
        self._next_serial += 1
        self._dispatch()
        self._make_room()

    def _is_own(self, event: Event) -> bool:
        """What its listeners print must not make them print more; nor its own losses lose more."""
        if isinstance(event, ProcessOutputEvent):
            return event.name in self._members
        return isinstance(event, BufferOverflowEvent) and event.pool == self.name

    def _make_room(self) -> None:
        surplus = len(self._buffer) - self._settings.buffer_size
        if surplus > 0:
            lost = self._buffer[0]
            del self._buffer[:surplus]
            self.drops += surplus
            if not self._overflowing:
                self._overflowing = True
                self._tell_overflow(lost.event)

    def _tell_overflow(self, lost: Event) -> None:
        log.error(
            "%s: no listener is ready, and %d events wait (buffer_size): the oldest give way, first %s",
            self.name,
            self._settings.buffer_size,
            lost.type,
        )
        self._events.publish(BufferOverflowEvent(pool=self.name, lost=lost.serial, drops=self.drops))

    def _dispatch(self) -> None:
        """Give what is due to whoever is ready."""
        for member in self._members.values():
            while self._buffer and member.is_ready:
                waiting = self._next_due()
                if waiting is None or not self._give(member, waiting):
                    break
        if self._overflowing and not self._buffer:
            self._overflowing = False
            log.warning("%s: caught up; %d events gave way so far", self.name, self.drops)

    def _next_due(self) -> Waiting | None:
        now = self._loop.time()
        for waiting in self._buffer:
            if waiting.due <= now:
                return waiting
        earliest = min(waiting.due for waiting in self._buffer)
        if self._timer is None or earliest < self._timer.when():
            self._cancel_timer()
            self._timer = self._loop.call_at(earliest, self._offer_again)
        return None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _offer_again(self) -> None:
        self._timer = None
        self._dispatch()

    def _give(self, member: Member, waiting: Waiting) -> bool:
        try:
            member.process.write_stdin(self._envelope(waiting))
        except (NotRunning, StdinFull) as error:
            log.debug("%s: event %d not given: %s", self.name, waiting.event.serial, error)
            return False
        self._buffer.remove(waiting)
        member.at_work = waiting
        member.protocol.sent()
        return True

    def _envelope(self, waiting: Waiting) -> bytes:
        """Header and payload; ``len`` counts characters, as supervisord does and its listeners expect."""
        event = waiting.event
        payload = wire_payload(event)
        head = (
            f"ver:3.0 server:{self._server} serial:{event.serial} pool:{self.name} "
            f"poolserial:{waiting.serial} eventname:{wire_name(event.type)} len:{len(payload)}\n"
        )
        return (head + payload).encode("utf-8", "surrogateescape")

    # What listeners say

    def _heard(self, member: Member, pid: int, data: bytes) -> None:
        if pid != member.process.pid:
            # A process that an earlier child left behind.
            return
        for saying in member.protocol.feed(data):
            self._answer(member, saying)
        self._dispatch()
        for future in self._curious:
            if not future.done():
                future.set_result(None)
        self._curious.clear()

    def _answer(self, member: Member, saying: Saying) -> None:
        match saying.word:
            case Word.READY:
                pass
            case Word.DONE:
                member.at_work = None
                self._settled(member.process)
            case Word.REFUSED:
                if member.at_work is not None and not member.at_work.refusals:
                    event = member.at_work.event
                    log.warning(
                        "%s: refused event %d (%s): %s",
                        member.process.name,
                        event.serial,
                        event.type,
                        saying.detail,
                    )
                self._take_back(member)
            case Word.VIOLATION:
                member.process.stdout.tap(None)
                self._take_back(member)
                self._restart(member.process, f"broke the listener protocol: {saying.detail}")

    def _take_back(self, member: Member) -> None:
        """Queue the event that a listener did not deal with again, in its old place."""
        waiting, member.at_work = member.at_work, None
        if waiting is None:
            return
        pause = min(FIRST_PAUSE * 2 ** min(waiting.refusals, MOST_DOUBLINGS), LONGEST_PAUSE)
        waiting.refusals += 1
        waiting.due = self._loop.time() + pause
        insort(self._buffer, waiting, key=lambda other: other.serial)
        self._make_room()
        self._dispatch()
