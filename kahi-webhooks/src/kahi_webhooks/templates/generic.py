"""The form for programs of one's own: everything there is to know."""

from __future__ import annotations

from typing import Any

from kahi_webhooks.notice import Notice


def generic(notice: Notice) -> dict[str, Any]:
    """The event with its own fields under ``payload``."""
    return {
        "type": notice.type,
        "serial": notice.serial,
        "time": notice.timestamp,
        "identifier": notice.origin.identifier,
        "host": notice.origin.host,
        "severity": notice.severity,
        "text": notice.text,
        "payload": dict(notice.payload),
    }
