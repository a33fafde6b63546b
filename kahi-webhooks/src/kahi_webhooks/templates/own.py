"""A body of one's own: text with ``{placeholders}``, JSON or plain.

In JSON a placeholder inside a string is escaped, and one outside of strings becomes a value of its
kind, so that nothing that a process says can break out of its place.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from kahi import events
from kahi.errors import nearest
from kahi_webhooks.notice import Notice

LONGEST: Final = 64 * 1024

GENERAL: Final = ("event", "serial", "time", "severity", "text", "identifier", "host", "payload")
"""Placeholders that every notice fills."""

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_JSON_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\{[a-z_]+\}', re.DOTALL)
"""A string, whole, or a placeholder outside of strings."""


class OwnForm:
    """Fills in the placeholders of a text."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._is_json = _looks_like_json(template)
        self.content_type = "application/json" if self._is_json else "text/plain; charset=utf-8"

    def takes(self, notice: Notice) -> bool:
        """Everything."""
        return True

    def body(self, notice: Notice) -> bytes:
        """The text, filled in."""
        values = _values(notice)
        return (_in_json if self._is_json else _in_text)(self._template, values).encode("utf-8", "replace")


def check_own_form(template: str, names: tuple[str, ...]) -> None:
    """Raises ValueError when ``template`` is no body with placeholders.

    Args:
        names: what else it could have been meant to be.
    """
    if len(template) > LONGEST:
        raise ValueError(f"is too long (at most {LONGEST} characters)")
    places: list[str] = _PLACE.findall(template)
    if not places and not _looks_like_json(template):
        hint = nearest(template, names)
        raise ValueError(f"is no template{hint} (allowed: {', '.join(names)}, a body with {{placeholders}})")
    known = placeholders()
    for place in places:
        if place not in known:
            hint = nearest(place, known) or f" (allowed: {', '.join(known)})"
            raise ValueError(f"there is no placeholder {{{place}}}{hint}")
    if _looks_like_json(template):
        try:
            json.loads(_in_json(template, {}))
        except ValueError as error:
            raise ValueError(f"is no JSON once its placeholders are filled in: {error}") from None


def placeholders() -> tuple[str, ...]:
    """All placeholders: what every notice has, and the fields of core's events."""
    fields = {
        field.name: None
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event)
        for field in dataclasses.fields(kind)
        if field.init
    }
    return (*GENERAL, *sorted(fields))


def _values(notice: Notice) -> dict[str, Any]:
    return {
        **notice.payload,
        "event": notice.type,
        "serial": notice.serial,
        "time": notice.timestamp,
        "severity": notice.severity,
        "text": notice.text,
        "identifier": notice.origin.identifier,
        "host": notice.origin.host,
        "payload": dict(notice.payload),
    }


def _looks_like_json(template: str) -> bool:
    return _PLACE.sub("_", template).lstrip()[:1] in ("{", "[")


def _in_text(template: str, values: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda place: _as_text(values.get(place[1])), template)


def _in_json(template: str, values: Mapping[str, Any]) -> str:
    def fill(part: re.Match[str]) -> str:
        if part[0].startswith('"'):
            return _PLACE.sub(lambda place: json.dumps(_as_text(values.get(place[1])))[1:-1], part[0])
        return json.dumps(values.get(part[0][1:-1]))

    return _JSON_PART.sub(fill, template)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
