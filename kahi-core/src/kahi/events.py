"""Events: what happened, as typed immutable values, and the bus that hands them on.

The bus belongs to the event-loop thread. Publishing costs nothing to speak of when nobody listens;
subscribers are called in the order in which they subscribed, and one that raises does not stop the
others.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

log = logging.getLogger(__name__)

HISTORY_LENGTH: Final = 1000
EVERYTHING: Final = "EVENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events.

    ``serial`` (from 1, without gaps) and ``time`` (seconds since the epoch) are stamped by
    [EventBus.publish][kahi.events.EventBus.publish].
    """

    serial: int = field(default=0, init=False)
    time: float = field(default=0.0, init=False)

    kept: ClassVar[bool] = True
    """Whether the bounded history keeps events of this class."""

    @property
    def type(self) -> str:
        """The type name, such as ``PROCESS_STATE_RUNNING``."""
        raise NotImplementedError

    def payload(self) -> dict[str, Any]:
        """The event's own fields as JSON-ready values, without serial and time."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        return {key: _json_ready(value) for key, value in values.items()}


def _json_ready(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStateEvent(Event):
    """A process changed its state; ``PROCESS_STATE_<state>``.

    ``tries`` counts failed starts (STARTING, BACKOFF), ``expected`` and ``exitstatus`` belong to
    EXITED, ``spawn_error`` to FATAL and BACKOFF.
    """

    name: str
    group: str
    state: str
    from_state: str
    pid: int = 0
    tries: int = 0
    expected: bool = True
    exitstatus: int = 0
    exit_signal: str | None = None
    spawn_error: str = ""

    @property
    def type(self) -> str:
        return f"PROCESS_STATE_{self.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessHealthEvent(Event):
    """A health check changed its mind; ``PROCESS_HEALTH_HEALTHY`` or ``_UNHEALTHY``."""

    name: str
    group: str
    healthy: bool
    reason: str = ""

    @property
    def type(self) -> str:
        return "PROCESS_HEALTH_HEALTHY" if self.healthy else "PROCESS_HEALTH_UNHEALTHY"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOutputEvent(Event):
    """A process printed ``data``; ``PROCESS_LOG_STDOUT``/``_STDERR``.

    ``captured`` data stood between the communication marks: ``PROCESS_COMMUNICATION_*``.
    """

    kept: ClassVar[bool] = False

    name: str
    group: str
    pid: int
    stream: str
    data: bytes
    captured: bool = False

    @property
    def type(self) -> str:
        kind = "COMMUNICATION" if self.captured else "LOG"
        return f"PROCESS_{kind}_{self.stream.upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProblemEvent(Event):
    """A log destination refuses data, or takes it again; ``PROCESS_OUTPUT_LOST``, with the loss so far."""

    name: str
    group: str
    stream: str
    problem: str
    lost_bytes: int

    @property
    def type(self) -> str:
        return "PROCESS_OUTPUT_LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroupEvent(Event):
    """A group came or went; ``PROCESS_GROUP_ADDED``/``_REMOVED``."""

    group: str
    added: bool

    @property
    def type(self) -> str:
        return "PROCESS_GROUP_ADDED" if self.added else "PROCESS_GROUP_REMOVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorStateEvent(Event):
    """The daemon is up, or begins to stop; ``SUPERVISOR_STATE_RUNNING``/``_STOPPING``."""

    state: str

    @property
    def type(self) -> str:
        return f"SUPERVISOR_STATE_{self.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEvent(Event):
    """A reload was applied or refused; ``CONFIG_RELOADED``/``CONFIG_RELOAD_FAILED``."""

    error: str = ""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        return "CONFIG_RELOAD_FAILED" if self.error else "CONFIG_RELOADED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCommunicationEvent(Event):
    """Something a client sent for the listeners; ``REMOTE_COMMUNICATION``."""

    kind: str
    data: bytes

    @property
    def type(self) -> str:
        return "REMOTE_COMMUNICATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class TickEvent(Event):
    """A clock tick for listeners; ``TICK_5``, ``TICK_60``, ``TICK_3600``. ``when`` is an epoch."""

    kept: ClassVar[bool] = False

    period: int
    when: int

    @property
    def type(self) -> str:
        return f"TICK_{self.period}"


Subscriber = Callable[[Event], None]


def matches(event_type: str, wanted: Iterable[str]) -> bool:
    """Whether ``event_type`` is one of ``wanted`` or below one of them.

    Prefixes end at an underscore (``PROCESS_STATE`` covers ``PROCESS_STATE_RUNNING``, not
    ``PROCESS_STATES``); ``EVENT`` covers everything; lower case is accepted.
    """
    for prefix in wanted:
        name = prefix.upper()
        if name in (EVERYTHING, event_type) or event_type.startswith(name + "_"):
            return True
    return False


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
        """Stop being called. Closing twice is fine."""
        self._bus.remove(self)


class EventBus:
    """Publishes events to subscribers in order, and remembers the last ones.

    Args:
        wall_clock: seconds since the epoch, for the events' ``time``.
        history: how many events are remembered.
    """

    def __init__(self, wall_clock: Callable[[], float], history: int = HISTORY_LENGTH) -> None:
        self._wall_clock = wall_clock
        self._history: deque[Event] = deque(maxlen=history)
        self._subscriptions: list[Subscription] = []
        self._by_type: dict[str, tuple[Subscription, ...]] = {}
        self._pending: deque[Event] = deque()
        self._publishing = False
        self.last_serial = 0
        self.on_error: Callable[[Subscription, Event, Exception], None] | None = None

    def subscribe(self, callback: Subscriber, *types: str, owner: str = "") -> Subscription:
        """Have ``callback`` called for each event of the given types or prefixes.

        Args:
            callback: called on the event-loop thread, must not block.
            types: ``EVENT`` when none is given.
            owner: who is named when the callback raises.
        """
        subscription = Subscription(self, callback, types or (EVERYTHING,), owner)
        self._subscriptions.append(subscription)
        self._by_type.clear()
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription off the bus; one that is gone already is ignored."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._by_type.clear()

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
            self._history.append(event)
        self._pending.append(event)
        if self._publishing:
            return
        self._publishing = True
        try:
            while self._pending:
                self._deliver(self._pending.popleft())
        finally:
            self._publishing = False

    def history(self, since: int = 0, limit: int | None = None) -> list[Event]:
        """Remembered events with a serial above ``since``, oldest first; the newest ``limit``."""
        found = [event for event in self._history if event.serial > since]
        return found if limit is None else found[max(0, len(found) - limit) :]

    def __iter__(self) -> Iterator[Event]:
        return iter(tuple(self._history))

    def _subscribers(self, event_type: str) -> tuple[Subscription, ...]:
        try:
            return self._by_type[event_type]
        except KeyError:
            found = tuple(s for s in self._subscriptions if matches(event_type, s.types))
            self._by_type[event_type] = found
            return found

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscribers(event.type):
            try:
                subscription.callback(event)
            except Exception as error:  # boundary: subscribers may be plugins
                subscription.errors += 1
                if self.on_error is None:
                    log.exception("event subscriber %s failed", subscription.owner or subscription.callback)
                else:
                    self.on_error(subscription, event, error)
