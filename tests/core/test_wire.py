"""Names and payloads of events as supervisord's listeners know them."""

from __future__ import annotations

import pytest
from supervisor import childutils
from supervisor import events as theirs
from supervisor.events import EventTypes

from kahi.events import (
    TYPES,
    BufferOverflowEvent,
    ConfigEvent,
    Event,
    PluginEvent,
    ProcessGroupEvent,
    ProcessHealthEvent,
    ProcessOutputEvent,
    ProcessStateEvent,
    RemoteCommunicationEvent,
    SupervisorStateEvent,
    TickEvent,
    matches,
)
from kahi.events.wire import own_name, wire_name, wire_payload

THEIR_NAMES = sorted(name for name in vars(EventTypes) if name.isupper())


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


class TheirProcess:
    """As much of supervisord's process as its events look at."""

    config = Named("web")
    backoff = 2
    pid = 4711

    class group:  # noqa: N801
        config = Named("site")


def state(name: str, from_state: str) -> ProcessStateEvent:
    return ProcessStateEvent(
        name="web", group="site", state=name, from_state=from_state, pid=4711, tries=2, expected=False
    )


def output(data: bytes, stream: str, captured: bool) -> ProcessOutputEvent:
    return ProcessOutputEvent(name="web", group="site", pid=4711, stream=stream, data=data, captured=captured)


@pytest.mark.parametrize(
    ("ours", "their"),
    [
        (state("STARTING", "BACKOFF"), theirs.ProcessStateStartingEvent(TheirProcess, 30)),
        (state("BACKOFF", "STARTING"), theirs.ProcessStateBackoffEvent(TheirProcess, 10)),
        (state("RUNNING", "STARTING"), theirs.ProcessStateRunningEvent(TheirProcess, 10)),
        (state("STOPPING", "RUNNING"), theirs.ProcessStateStoppingEvent(TheirProcess, 20)),
        (state("STOPPED", "STOPPING"), theirs.ProcessStateStoppedEvent(TheirProcess, 40)),
        (state("EXITED", "RUNNING"), theirs.ProcessStateExitedEvent(TheirProcess, 20, expected=False)),
        (state("FATAL", "BACKOFF"), theirs.ProcessStateFatalEvent(TheirProcess, 30)),
        (output(b"a\nb", "stdout", False), theirs.ProcessLogStdoutEvent(TheirProcess, 4711, b"a\nb")),
        (
            output("d\xe5ta".encode(), "stderr", False),
            theirs.ProcessLogStderrEvent(TheirProcess, 4711, "d\xe5ta".encode()),
        ),
        (output(b"\xff'", "stdout", False), theirs.ProcessLogStdoutEvent(TheirProcess, 4711, b"\xff'")),
        (
            output(b"x:y", "stdout", True),
            theirs.ProcessCommunicationStdoutEvent(TheirProcess, 4711, b"x:y"),
        ),
        (
            output(b"\xff", "stderr", True),
            theirs.ProcessCommunicationStderrEvent(TheirProcess, 4711, b"\xff"),
        ),
        (RemoteCommunicationEvent(kind="a", data=b"b\nc"), theirs.RemoteCommunicationEvent("a", "b\nc")),
        (SupervisorStateEvent(state="RUNNING"), theirs.SupervisorRunningEvent()),
        (SupervisorStateEvent(state="STOPPING"), theirs.SupervisorStoppingEvent()),
        (ProcessGroupEvent(group="site", added=True), theirs.ProcessGroupAddedEvent("site")),
        (ProcessGroupEvent(group="site", added=False), theirs.ProcessGroupRemovedEvent("site")),
        (TickEvent(period=5, when=1700000005), theirs.Tick5Event(1700000005, None)),
        (TickEvent(period=60, when=1700000040), theirs.Tick60Event(1700000040, None)),
        (TickEvent(period=3600, when=1700002800), theirs.Tick3600Event(1700002800, None)),
    ],
    ids=lambda event: event.type if isinstance(event, Event) else "",
)
def test_names_and_payloads_are_those_of_supervisord(ours: Event, their: theirs.Event) -> None:
    assert wire_payload(ours) == their.payload()
    assert wire_name(ours.type) == theirs.getEventNameByType(type(their))


@pytest.mark.parametrize("name", THEIR_NAMES)
def test_every_name_of_supervisord_stands_for_the_same_events(name: str) -> None:
    """What a listener subscribes to there, it gets here."""
    wanted = getattr(EventTypes, name)
    for event_type in TYPES:
        their = getattr(EventTypes, wire_name(event_type), None)
        if their is not None:
            assert matches(event_type, (own_name(name.lower()),)) == issubclass(their, wanted)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (
            ProcessHealthEvent(name="web", group="site", healthy=False, reason="no: 50% \xe5\n"),
            "processname:web groupname:site healthy:0 reason:no%3A%2050%25%20%C3%A5%0A",
        ),
        (ConfigEvent(added=("a", "b")), "error: added:a,b changed: removed:"),
        (BufferOverflowEvent(pool="p", lost=3, drops=1), "pool:p lost:3 drops:1"),
        (PluginEvent(plugin="notify", kind="sent", data={"to": None, "n": 1.5}), "to: n:1.5"),
    ],
)
def test_what_supervisord_does_not_know_can_be_taken_apart_all_the_same(event: Event, payload: str) -> None:
    assert wire_payload(event) == payload
    assert len(childutils.get_headers(payload)) == payload.count(" ") + 1
