"""Every type of event, with what clients and event listeners get of it, from the types in the code."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
from collections.abc import Iterator
from typing import Final, TypedDict

from docs.generate.markdown import code, fenced, heading, table
from kahi.events import (
    EVERYTHING,
    TYPES,
    BufferOverflowEvent,
    ConfigEvent,
    Event,
    EventBus,
    LogProblemEvent,
    ProcessGroupEvent,
    ProcessHealthEvent,
    ProcessOutputEvent,
    ProcessStateEvent,
    RemoteCommunicationEvent,
    SupervisorStateEvent,
    TickEvent,
)
from kahi.events.wire import wire_name, wire_payload
from kahi.lifecycle import State
from kahi_api.event_feed import event_object

HEAD: Final = f"""\
# Events

Generated from the types in the code. Clients get events by `GET /api/v1/events` and
`/api/v1/events/stream`, programs by [event listeners](../how-to/event-listeners.md) and
[webhooks](../how-to/webhooks.md), plugins by the hook [`kahi_event`](hooks.md#kahi_event).

Whoever subscribes names types or what they begin with, up to an underscore: `PROCESS_STATE` covers
`PROCESS_STATE_RUNNING`; `{EVERYTHING}` covers everything; lower case is fine. `serial` counts all events of
the daemon from 1. Plugins add types under their own names.
"""

MOMENT: Final = 1790000000.25
"""When all the samples happened."""


class _Who(TypedDict):
    name: str
    group: str


def samples() -> tuple[Event, ...]:
    """One event of each type."""
    who = _Who(name="web", group="site")
    states = [
        ProcessStateEvent(**who, state="STOPPED", from_state="STOPPING", pid=4711),
        ProcessStateEvent(**who, state="STARTING", from_state="STOPPED"),
        ProcessStateEvent(**who, state="RUNNING", from_state="STARTING", pid=4711),
        ProcessStateEvent(**who, state="BACKOFF", from_state="STARTING", tries=1, spawn_error="it ended"),
        ProcessStateEvent(**who, state="STOPPING", from_state="RUNNING", pid=4711),
        ProcessStateEvent(
            **who, state="EXITED", from_state="RUNNING", pid=4711, expected=False, exitstatus=1
        ),
        ProcessStateEvent(**who, state="FATAL", from_state="STARTING", spawn_error="cannot run /bin/web"),
    ]
    assert {event.state for event in states} == {state.name for state in State}
    output = [
        ProcessOutputEvent(**who, pid=4711, stream=stream, data=b"hello\n", captured=captured)
        for captured in (False, True)
        for stream in ("stdout", "stderr")
    ]
    return (
        *states,
        ProcessHealthEvent(**who, healthy=True),
        ProcessHealthEvent(**who, healthy=False, reason="answered 503 Service Unavailable"),
        *output,
        LogProblemEvent(**who, stream="stdout", problem="No space left on device", lost_bytes=4096),
        RemoteCommunicationEvent(kind="deploy", data=b"v2"),
        ProcessGroupEvent(group="site", added=True),
        ProcessGroupEvent(group="site", added=False),
        SupervisorStateEvent(state="RUNNING"),
        SupervisorStateEvent(state="STOPPING"),
        ConfigEvent(added=("web",)),
        ConfigEvent(error="kahi.toml:6: [programs.web] startsecs: is too small (at least 0)"),
        BufferOverflowEvent(pool="mail", lost=17, drops=3),
        *(TickEvent(period=period, when=1790000000) for period in (5, 60, 3600)),
    )


def page() -> str:
    """The page."""
    bus = EventBus(lambda: MOMENT)
    found = {event.type: event for event in samples()}
    lines = [HEAD, *_overview(found)]
    kinds = list(dict.fromkeys(type(found[name]) for name in TYPES))
    for kind in kinds:
        lines += _kind(kind, [found[name] for name in TYPES if type(found[name]) is kind], bus)
    return "\n".join(lines)


def _overview(found: dict[str, Event]) -> Iterator[str]:
    rows = [
        (
            f"[{code(name)}](#{_anchor(type(found[name]))})",
            code(wire_name(name)) if wire_name(name) != name else "the same",
            "yes" if found[name].kept else "no",
        )
        for name in TYPES
    ]
    yield from table(("type", "name for listeners", "in the history"), rows)


def _kind(kind: type[Event], events: list[Event], bus: EventBus) -> Iterator[str]:
    yield from heading(2, code(_family(events)), _anchor(kind))
    about = inspect.getdoc(kind) or ""
    yield from (about.replace("``", "`"), "")
    rows = [(code(each.name), str(each.type)) for each in dataclasses.fields(kind) if each.init]
    yield from table(("field", "type"), ((name, code(type_)) for name, type_ in rows))
    for event in events:
        bus.publish(event)
    shown = events[-1]
    yield from (f"As clients see {code(shown.type)}:", "")
    yield from fenced("json", json.dumps(event_object(shown), indent=2))
    yield from ("As event listeners see it:", "")
    rows = [(code(wire_name(event.type)), _written(wire_payload(event))) for event in events]
    yield from table(("eventname", "payload"), rows)


def _family(events: list[Event]) -> str:
    """The type; of several what they begin with, up to an underscore."""
    if len(events) == 1:
        return events[0].type
    columns = zip(*(event.type.split("_") for event in events), strict=False)
    common = itertools.takewhile(lambda column: len(set(column)) == 1, columns)
    return "_".join([*(column[0] for column in common), "*"])


def _anchor(kind: type[Event]) -> str:
    return kind.__name__.lower()


def _written(payload: str) -> str:
    """A payload in a table; line breaks are shown as they are written in code."""
    return code(payload.replace("\n", "\\n")) if payload else "empty"
