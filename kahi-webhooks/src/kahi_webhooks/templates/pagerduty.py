"""PagerDuty's Events API v2: an incident for each process that is in trouble, ended when it is not."""

from __future__ import annotations

from typing import Any, Final

from kahi_webhooks.notice import TEST, TEST_OVER, Notice, Origin, shortened
from kahi_webhooks.templates.form import as_json

LONGEST_SUMMARY: Final = 1024
LONGEST_KEY: Final = 255


class PagerDuty:
    """Opens and ends incidents, one for each process.

    Only what was opened is ended: a thousand processes that start are no thousand messages.
    """

    content_type = "application/json"

    def __init__(self, routing_key: str) -> None:
        self._routing_key = routing_key
        self._open: set[str] = set()

    def takes(self, notice: Notice) -> bool:
        """What opens an incident, and the first that ends it."""
        if _opens(notice):
            self._open.add(notice.name)
            return True
        if _ends(notice) and notice.name in self._open:
            self._open.remove(notice.name)
            return True
        return notice.type in (TEST, TEST_OVER)

    def body(self, notice: Notice) -> bytes:
        """A trigger or a resolve."""
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": "resolve" if _ends(notice) else "trigger",
            "dedup_key": dedup_key(notice.origin, notice.name or "test"),
            "payload": {
                "summary": shortened(notice.text, LONGEST_SUMMARY),
                "source": notice.origin.host,
                "severity": notice.severity,
                "timestamp": notice.timestamp,
                "component": notice.name or notice.origin.identifier,
                "class": notice.type,
                "custom_details": dict(notice.payload),
            },
            "client": f"Kahi ({notice.origin.identifier})",
        }
        if notice.group:
            event["payload"]["group"] = notice.group
        return as_json(event)


def dedup_key(origin: Origin, name: str) -> str:
    """The name of a process's incident, the same in every message about it."""
    return f"kahi/{origin.host}/{origin.identifier}/{name}"[-LONGEST_KEY:]


def _opens(notice: Notice) -> bool:
    match notice.type:
        case "PROCESS_STATE_FATAL" | "PROCESS_HEALTH_UNHEALTHY":
            return True
        case "PROCESS_STATE_EXITED":
            return not notice.payload["expected"]
        case "PROCESS_STATE_BACKOFF":
            # It ran, and ended so soon that this counts as a failed start.
            return notice.payload["from_state"] == "RUNNING"
        case _:
            return False


def _ends(notice: Notice) -> bool:
    if notice.type == "PROCESS_STATE_EXITED":
        return bool(notice.payload["expected"])
    return notice.type in ("PROCESS_STATE_RUNNING", "PROCESS_HEALTH_HEALTHY", TEST_OVER)
