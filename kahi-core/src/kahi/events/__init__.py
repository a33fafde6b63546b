"""Events: what happened, as typed immutable values, and the bus that hands them on."""

from __future__ import annotations

from kahi.events.bus import HISTORY_LENGTH, EventBus, Subscriber, Subscription
from kahi.events.queue import QUEUE_LIMIT, EventQueue
from kahi.events.types import (
    EVERYTHING,
    TYPES,
    BufferOverflowEvent,
    ConfigEvent,
    Event,
    LogProblemEvent,
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

__all__ = [
    "EVERYTHING",
    "HISTORY_LENGTH",
    "QUEUE_LIMIT",
    "TYPES",
    "BufferOverflowEvent",
    "ConfigEvent",
    "Event",
    "EventBus",
    "EventQueue",
    "LogProblemEvent",
    "PluginEvent",
    "ProcessGroupEvent",
    "ProcessHealthEvent",
    "ProcessOutputEvent",
    "ProcessStateEvent",
    "RemoteCommunicationEvent",
    "Subscriber",
    "Subscription",
    "SupervisorStateEvent",
    "TickEvent",
    "matches",
    "names_events",
]
