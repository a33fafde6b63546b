"""The bus that hands events on.

It belongs to the event-loop thread. Publishing costs nothing to speak of when nobody listens;
subscribers are called in the order in which they subscribed, and one that raises does not stop the
others.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from kahi.boundary import PLUGIN_ERRORS
from kahi.events.queue import QUEUE_LIMIT, EventQueue
from kahi.events.types import EVERYTHING, Event, matches

log = logging.getLogger(__name__)

HISTORY_LENGTH: Final = 1000

Subscriber = Callable[[Event], None]
ErrorCounter = Callable[[str, str, BaseException], None]


class Subscription:
    """A subscriber on the bus, until it is closed."""

    __slots__ = ("_bus", "callback", "errors", "owner", "types")

    def __init__(self, bus: EventBus, callback: Subscriber, types: tuple[str, ...], owner: str) -> None:
        self._bus = bus
        self.callback = callback
        self.types = types
        self.owner = owner
        self.errors = 0

    def close(self) -> None:
        """Be called never again, not even with an event that is on its way. Closing twice is fine."""
        self.callback = _nobody
        self._bus.remove(self)


class EventBus:
    """Publishes events to subscribers in order, and remembers the last ones.

    Args:
        wall_clock: seconds since the epoch, for the events' ``time``.
        history: how many events are remembered.
    """

    def __init__(self, wall_clock: Callable[[], float], history: int = HISTORY_LENGTH) -> None:
        self._wall_clock = wall_clock
        self._history: deque[Event] = deque()
        self._history_length = history
        self._forgotten = 0
        self._subscriptions: list[Subscription] = []
        self._by_type: dict[str, tuple[Subscription, ...]] = {}
        self._pending: deque[Event] = deque()
        self._publishing = False
        self.last_serial = 0
        self.interest_watchers: list[Callable[[], None]] = []
        """Called when somebody subscribed or left: for those who make events only on demand."""
        self._owner_of: Callable[[Subscriber], str] = lambda _: ""
        self._count_error: ErrorCounter = _log_error

    def guard(self, owner_of: Callable[[Subscriber], str], count_error: ErrorCounter) -> None:
        """Have errors of subscribers counted by who owns them.

        Args:
            owner_of: finds the plugin whose code a subscriber is, "" when it is none's.
            count_error: told of the owner, what it was told of, and what it raised.
        """
        self._owner_of = owner_of
        self._count_error = count_error

    def subscribe(self, callback: Subscriber, *types: str, owner: str = "") -> Subscription:
        """Have ``callback`` called for each event of the given types or prefixes.

        Args:
            callback: called on the event-loop thread, must not block.
            types: ``EVENT`` when none is given.
            owner: the plugin that is named when the callback raises; the one whose code it is when
                nobody is named.
        """
        owner = owner or self._owner_of(callback)
        subscription = Subscription(self, callback, types or (EVERYTHING,), owner)
        self._subscriptions.append(subscription)
        self._interest_changed()
        return subscription

    def queue(
        self, *types: str, limit: int = QUEUE_LIMIT, owner: str = "", since: int | None = None
    ) -> EventQueue:
        """Collect events of the given types or prefixes for one consumer that takes them in batches.

        Args:
            types: ``EVENT`` when none is given.
            limit: how many wait at most; beyond it the oldest give way and are counted.
            since: begin with the remembered events above this serial, without a gap between them
                and what is published from now on. [remembers][kahi.events.EventBus.remembers] tells
                whether something is missing before the first.
        """
        queue = EventQueue(limit)
        if since is not None:
            for event in self.history(since):
                if matches(event.type, types or (EVERYTHING,)):
                    queue.put(event)
        queue.subscription = self.subscribe(queue.put, *types, owner=owner)
        return queue

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription off the bus; one that is gone already is ignored."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._interest_changed()

    def drop(self, owner: str) -> None:
        """Take everything that belongs to a plugin off the bus."""
        for subscription in [each for each in self._subscriptions if each.owner == owner]:
            subscription.close()

    def wanted(self, event_type: str) -> bool:
        """Whether anybody subscribed to ``event_type``; lets a hot path skip making the event."""
        return bool(self._subscribers(event_type))

    def publish(self, event: Event) -> None:
        """Stamp ``event`` and hand it to its subscribers, each exactly once, in order.

        An event published by a subscriber waits until the present one reached everybody, so all
        see the same order.
        """
        self.last_serial += 1
        object.__setattr__(event, "serial", self.last_serial)
        object.__setattr__(event, "time", self._wall_clock())
        if event.kept:
            self._remember(event)
        self._pending.append(event)
        if self._publishing:
            return
        self._publishing = True
        try:
            while self._pending:
                event = self._pending.popleft()
                deliver(event, self._subscribers(event.type), self._count_error)
        finally:
            self._publishing = False

    def history(self, since: int = 0, limit: int | None = None) -> list[Event]:
        """Remembered events with a serial above ``since``, oldest first; the newest ``limit``."""
        found = [event for event in self._history if event.serial > since]
        return found if limit is None else found[max(0, len(found) - limit) :]

    def remembers(self, since: int) -> bool:
        """Whether ``history(since)`` is all that was worth keeping after the event of that serial.

        It is not when some of it had to give way to later events, nor when the serial is of another
        run of the daemon. Serials in the history have gaps where events are never kept (output,
        ticks); those do not count.
        """
        return self._forgotten <= since <= self.last_serial

    def __iter__(self) -> Iterator[Event]:
        return iter(tuple(self._history))

    def _interest_changed(self) -> None:
        self._by_type.clear()
        for watcher in self.interest_watchers:
            watcher()

    def _remember(self, event: Event) -> None:
        self._history.append(event)
        if len(self._history) > self._history_length:
            self._forgotten = self._history.popleft().serial

    def _subscribers(self, event_type: str) -> tuple[Subscription, ...]:
        try:
            return self._by_type[event_type]
        except KeyError:
            found = tuple(s for s in self._subscriptions if matches(event_type, s.types))
            self._by_type[event_type] = found
            return found


def deliver(event: Event, subscriptions: Iterable[Subscription], count_error: ErrorCounter) -> None:
    """Hand an event to subscribers, one after the other.

    The watch over the event loop recognises this frame, and reads from it whose code runs.
    """
    for subscription in subscriptions:
        try:
            subscription.callback(event)
        except PLUGIN_ERRORS as error:
            subscription.errors += 1
            count_error(subscription.owner, f"subscriber of {event.type}", error)


def _log_error(owner: str, what: str, error: BaseException) -> None:
    log.error("%s %s raised", owner or "a", what, exc_info=error)


def _nobody(_: Event) -> None:
    """Stands in for a subscriber that left while an event was on its way to it."""
