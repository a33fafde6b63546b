"""Events as the listeners of supervisord know them: their names and payloads, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from kahi.events.types import (
    Event,
    PluginEvent,
    ProcessGroupEvent,
    ProcessOutputEvent,
    ProcessStateEvent,
    RemoteCommunicationEvent,
    SupervisorStateEvent,
    TickEvent,
)

_OURS: Final = "SUPERVISOR_STATE"
_THEIRS: Final = "SUPERVISOR_STATE_CHANGE"
"""The one family of events that has another name in supervisord."""

NEVER: Final = frozenset({"PROCESS_STATE_UNKNOWN"})
"""Types that supervisord knows and Kahi never publishes."""

_FIELD_NAMES: Final[Mapping[str, str]] = {"name": "processname", "group": "groupname"}
_SAFE: Final = "/.,;@+=-_*()!~[]{}"
"""Characters that may stand in a value as they are: neither white space nor a colon."""


def wire_name(event_type: str) -> str:
    """What supervisord calls an event of this type; the type itself when it knows no such event."""
    if event_type.startswith(_OURS):
        return _THEIRS + event_type.removeprefix(_OURS)
    return event_type


def own_name(wanted: str) -> str:
    """The type or prefix of Kahi that a listener means by ``wanted``, in upper case."""
    name = wanted.upper()
    if name == _THEIRS or name.startswith(_THEIRS + "_"):
        return _OURS + name.removeprefix(_THEIRS)
    return name


def wire_payload(event: Event) -> str:
    """The payload of an event as supervisord writes it.

    Events that supervisord does not have carry their fields as ``name:value`` on one line, the
    values percent-encoded, so that `supervisor.childutils.get_headers` can take them apart.
    """
    match event:
        case ProcessStateEvent():
            return _state(event)
        case ProcessOutputEvent():
            place = f"processname:{event.name} groupname:{event.group} pid:{event.pid}"
            channel = "" if event.captured else f" channel:{event.stream}"
            return f"{place}{channel}\n{_text(event.data)}"
        case ProcessGroupEvent():
            return f"groupname:{event.group}\n"
        case RemoteCommunicationEvent():
            return f"type:{event.kind}\n{_text(event.data)}"
        case SupervisorStateEvent():
            return ""
        case TickEvent():
            return f"when:{event.when}"
        case PluginEvent():
            return _fields(event.data)
        case _:
            return _fields(event.payload())


def _state(event: ProcessStateEvent) -> str:
    head = f"processname:{event.name} groupname:{event.group} from_state:{event.from_state}"
    match event.state:
        case "STARTING" | "BACKOFF":
            return f"{head} tries:{event.tries}"
        case "RUNNING" | "STOPPING" | "STOPPED":
            return f"{head} pid:{event.pid}"
        case "EXITED":
            return f"{head} expected:{int(event.expected)} pid:{event.pid}"
        case _:
            return head


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"Undecodable: {data!r}"


def _fields(values: Mapping[str, Any]) -> str:
    return " ".join(f"{_FIELD_NAMES.get(key, key)}:{_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
        return quote(",".join(value), safe=_SAFE)  # pyright: ignore[reportUnknownArgumentType]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return quote("" if value is None else text, safe=_SAFE)
