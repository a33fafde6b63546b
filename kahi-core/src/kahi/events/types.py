"""Event types: what happened, as typed immutable values."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

EVERYTHING: Final = "EVENT"
"""The prefix of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(ABC):
    """Base of all events.

    ``serial`` (from 1, without gaps) and ``time`` (seconds since the epoch) are stamped by
    [EventBus.publish][kahi.events.EventBus.publish].
    """

    serial: int = field(default=0, init=False)
    time: float = field(default=0.0, init=False)

    kept: ClassVar[bool] = True
    """Whether the bounded history keeps events of this class."""

    @property
    @abstractmethod
    def type(self) -> str:
        """The type name, such as ``PROCESS_STATE_RUNNING``."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferOverflowEvent(Event):
    """A pool of listeners is too slow and loses events; ``EVENT_BUFFER_OVERFLOW``.

    Told once until the pool has caught up. ``lost`` is the serial of the first event that gave way,
    ``drops`` counts all that ever did.
    """

    pool: str
    lost: int
    drops: int

    @property
    def type(self) -> str:
        return "EVENT_BUFFER_OVERFLOW"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEvent(Event):
    """Something that a plugin tells, under its own prefix: ``NOTIFY_SENT`` is ``SENT`` of ``notify``.

    ``data`` holds JSON-ready values.
    """

    plugin: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def type(self) -> str:
        return f"{self.plugin}_{self.kind}".replace("-", "_").upper()


TYPES: Final = (
    *(
        f"PROCESS_STATE_{state}"
        for state in ("STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL")
    ),
    "PROCESS_HEALTH_HEALTHY",
    "PROCESS_HEALTH_UNHEALTHY",
    "PROCESS_LOG_STDOUT",
    "PROCESS_LOG_STDERR",
    "PROCESS_COMMUNICATION_STDOUT",
    "PROCESS_COMMUNICATION_STDERR",
    "PROCESS_OUTPUT_LOST",
    "REMOTE_COMMUNICATION",
    "PROCESS_GROUP_ADDED",
    "PROCESS_GROUP_REMOVED",
    "SUPERVISOR_STATE_RUNNING",
    "SUPERVISOR_STATE_STOPPING",
    "CONFIG_RELOADED",
    "CONFIG_RELOAD_FAILED",
    "EVENT_BUFFER_OVERFLOW",
    "TICK_5",
    "TICK_60",
    "TICK_3600",
)
"""All types of core's own events. Plugins add some under their own names."""


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


def names_events(wanted: str) -> bool:
    """Whether a type or prefix covers any of core's own events; a plugin's it may cover all the same."""
    return any(matches(known, (wanted,)) for known in TYPES)
