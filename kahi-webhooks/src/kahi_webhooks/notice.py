"""What a webhook tells: an event in words, independent of the form it is sent in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from kahi.events import (
    ConfigEvent,
    Event,
    LogProblemEvent,
    ProcessGroupEvent,
    ProcessHealthEvent,
    ProcessOutputEvent,
    ProcessStateEvent,
    RemoteCommunicationEvent,
    SupervisorStateEvent,
    TickEvent,
)

Severity = Literal["info", "warning", "error", "critical"]

LONGEST_VALUE: Final = 4096
"""Characters of one value that are sent: a chunk of output may have a quarter of a million."""

LONGEST_TEXT: Final = 500

TEST: Final = "WEBHOOK_TEST"
TEST_OVER: Final = "WEBHOOK_TEST_OVER"
"""Types of what `kahi webhook test` sends; the second where the first leaves something open."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which daemon tells: its configured name, and its machine."""

    identifier: str
    host: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One event, ready to be put into any form.

    Args:
        type: of the event; ``serial`` and ``time`` (seconds since the epoch) are the event's.
        text: one sentence for people.
        name: of the process, "" when it is about none; ``group`` likewise.
        payload: the event's own fields, as JSON has them.
    """

    type: str
    serial: int
    time: float
    text: str
    severity: Severity
    name: str
    group: str
    payload: Mapping[str, Any]
    origin: Origin

    @property
    def timestamp(self) -> str:
        """The time as RFC 3339 has it, in UTC."""
        moment = datetime.fromtimestamp(self.time, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a person wants to see at a glance: words and values."""
        found = [("Process", self.name)] if self.name else []
        if self.group and self.group != self.name:
            found.append(("Group", self.group))
        before = self.payload.get("from_state")
        if before:
            found.append(("State", f"{before} → {self.payload.get('state')}"))
        found.append(("Daemon", f"{self.origin.identifier} on {self.origin.host}"))
        return found


def notice_of(event: Event, origin: Origin) -> Notice:
    """Put an event into words."""
    payload: dict[str, Any] = _bounded(event.payload())
    return Notice(
        type=event.type,
        serial=event.serial,
        time=event.time,
        text=shortened(_sentence(event), LONGEST_TEXT),
        severity=_severity(event),
        name=str(payload.get("name", "")),
        group=str(payload.get("group", "")),
        payload=payload,
        origin=origin,
    )


def trial_notice(kind: str, webhook: str, origin: Origin, now: float) -> Notice:
    """What `kahi webhook test` sends; ``kind`` is one of the two types."""
    return Notice(
        type=kind,
        serial=0,
        time=now,
        text=f"This is a test of the webhook {webhook}: it works.",
        severity="info",
        name="",
        group="",
        payload={"webhook": webhook},
        origin=origin,
    )


def shortened(text: str, length: int) -> str:
    """``text``, cut with an ellipsis when it is longer than ``length`` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _bounded(value: Any) -> Any:
    """``value`` with long text cut, and without what JSON does not have."""
    if isinstance(value, str):
        return shortened(value, LONGEST_VALUE)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _bounded(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_bounded(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _severity(event: Event) -> Severity:
    match event:
        case ProcessStateEvent(state="FATAL"):
            return "critical"
        case (
            ProcessStateEvent(state="EXITED", expected=False)
            | ProcessStateEvent(state="BACKOFF", from_state="RUNNING")
        ):
            return "error"
        case ProcessStateEvent(state="BACKOFF") | ProcessHealthEvent(healthy=False) | LogProblemEvent():
            return "warning"
        case ConfigEvent() if event.error:
            return "warning"
        case _:
            return "info"


def _sentence(event: Event) -> str:
    match event:
        case ProcessStateEvent():
            return f"{event.name} {_change(event)}"
        case ProcessHealthEvent(healthy=True):
            return f"{event.name} is healthy"
        case ProcessHealthEvent():
            return f"{event.name} is unhealthy{_because(event.reason)}"
        case ProcessOutputEvent():
            kind = "sent on" if event.captured else "printed to"
            return (
                f"{event.name} {kind} {event.stream}: {event.data[:LONGEST_VALUE].decode(errors='replace')}"
            )
        case LogProblemEvent():
            return (
                f"{event.name}: {event.lost_bytes} bytes of {event.stream} are lost{_because(event.problem)}"
            )
        case ProcessGroupEvent():
            return f"group {event.group} was {'added' if event.added else 'removed'}"
        case SupervisorStateEvent(state="RUNNING"):
            return "the daemon is up"
        case SupervisorStateEvent():
            return "the daemon is stopping"
        case ConfigEvent():
            return _reload(event)
        case RemoteCommunicationEvent():
            return f"{event.kind}: {event.data[:LONGEST_VALUE].decode(errors='replace')}"
        case TickEvent():
            return f"{event.period} seconds have passed"
        case _:
            return f"{event.type} {json.dumps(event.payload(), default=str)}"


def _change(event: ProcessStateEvent) -> str:
    match event.state:
        case "RUNNING":
            return f"is running, pid {event.pid}"
        case "EXITED":
            how = f"by {event.exit_signal}" if event.exit_signal else f"with status {event.exitstatus}"
            return f"ended {how} ({'expected' if event.expected else 'not expected'})"
        case "FATAL":
            return f"was given up{_because(event.spawn_error)}"
        case "BACKOFF" if event.from_state == "RUNNING":
            return f"ended soon after its start{_because(event.spawn_error)}"
        case "BACKOFF":
            return f"failed to start, attempt {event.tries}{_because(event.spawn_error)}"
        case _:
            return f"is {event.state.lower()}"


def _reload(event: ConfigEvent) -> str:
    if event.error:
        return f"a reload was refused: {event.error}"
    changes = [
        f"{word} {', '.join(names)}"
        for word, names in (("added", event.added), ("changed", event.changed), ("removed", event.removed))
        if names
    ]
    return f"the configuration was reloaded: {'; '.join(changes) or 'no program changed'}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
