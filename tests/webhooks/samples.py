"""Events of all kinds, with the worst that processes can say."""

from __future__ import annotations

from kahi.events import (
    ConfigEvent,
    Event,
    EventBus,
    LogProblemEvent,
    PluginEvent,
    ProcessGroupEvent,
    ProcessHealthEvent,
    ProcessOutputEvent,
    ProcessStateEvent,
    RemoteCommunicationEvent,
    SupervisorStateEvent,
    TickEvent,
)
from kahi_webhooks.notice import Notice, Origin, notice_of

ORIGIN = Origin("kahi", "db1.example.org")
WHEN = 1_790_000_000.25
KEY = "R0123456789abcdefghijklmnopqrstu"

HOSTILE = '<!everyone> @everyone [click](https://evil.example) **x** &amp; "\\\x00\x1b[31m\ud7ff' + "é" * 5000


def state(name: str, state: str, from_state: str, **more: object) -> ProcessStateEvent:
    return ProcessStateEvent(name=name, group=name, state=state, from_state=from_state, **more)  # type: ignore[arg-type]


FATAL = state(
    "web", "FATAL", "BACKOFF", tries=4, spawn_error="cannot run /usr/bin/web: No such file or directory"
)
CRASHED = state("web", "EXITED", "RUNNING", pid=4711, expected=False, exitstatus=1)
SOON = state("web", "BACKOFF", "RUNNING", tries=1, spawn_error="ended unexpectedly: exit status 1")
RUNNING = state("web", "RUNNING", "STARTING", pid=4712)
ENDED = state("web", "EXITED", "RUNNING", pid=4711, expected=True)

EVENTS: dict[str, Event] = {
    "fatal": FATAL,
    "crashed": CRASHED,
    "killed": state("web", "EXITED", "RUNNING", pid=1, expected=False, exitstatus=137, exit_signal="SIGKILL"),
    "running": RUNNING,
    "backoff": state("web", "BACKOFF", "STARTING", tries=2, spawn_error="exit status 1"),
    "soon": SOON,
    "stopped": state("web", "STOPPED", "STOPPING"),
    "hostile": state("a<b>&_*c", "FATAL", "BACKOFF", spawn_error=HOSTILE),
    "healthy": ProcessHealthEvent(name="web", group="site", healthy=True),
    "unhealthy": ProcessHealthEvent(name="web", group="site", healthy=False, reason=HOSTILE),
    "output": ProcessOutputEvent(name="web", group="web", pid=1, stream="stdout", data=HOSTILE.encode()),
    "binary": ProcessOutputEvent(name="web", group="web", pid=1, stream="stderr", data=b"\xff" * 100_000),
    "communication": ProcessOutputEvent(
        name="web", group="web", pid=1, stream="stdout", data=b"x", captured=True
    ),
    "lost": LogProblemEvent(name="web", group="web", stream="stdout", problem="disk full", lost_bytes=5),
    "added": ProcessGroupEvent(group="web", added=True),
    "up": SupervisorStateEvent(state="RUNNING"),
    "stopping": SupervisorStateEvent(state="STOPPING"),
    "reloaded": ConfigEvent(added=("a",), removed=("b", "c")),
    "refused": ConfigEvent(error="kahi.toml:1: " + HOSTILE),
    "remote": RemoteCommunicationEvent(kind="deploy", data=b"v2"),
    "tick": TickEvent(period=60, when=5),
    "plugin": PluginEvent(plugin="notify", kind="sent", data={"deep": [1, {"x": None, "n": float("nan")}]}),
}


def notice(event: Event, origin: Origin = ORIGIN) -> Notice:
    """What is told of ``event``, after it was published."""
    bus = EventBus(lambda: WHEN)
    bus.publish(event)
    return notice_of(event, origin)
