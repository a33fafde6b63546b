"""The page of recent events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from kahi.events import Event, matches
from kahi_api.admission import query_of
from kahi_api.objects import rfc3339
from kahi_api.requests import Parameters
from kahi_webui import wording
from kahi_webui.site import page
from kahi_webui.state import WebUi

ROWS: Final = 300
_COLUMNS: Final = frozenset({"name", "group", "from_state", "state"})


class EventsQuery(Parameters):
    """Types or prefixes, with blanks or commas between them."""

    types: str = ""


class EventsPage:
    """Routes of the events."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The page."""
        text = query_of(request, EventsQuery).types
        types = [word for word in text.replace(",", " ").split() if word]
        history = self._site.supervisor.events.history()
        found = [event for event in history if not types or matches(event.type, types)]
        rows = event_rows(found[-ROWS:])
        return await page(self._site, request, "events.html", events=rows, q=text, wanted=",".join(types))


def event_rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events as rows of a table, the newest first."""
    return [
        {
            "serial": event.serial,
            "time": rfc3339(event.time),
            "clock": wording.clock(event.time),
            "type": event.type,
            "process": getattr(event, "name", ""),
            "details": _details(event),
        }
        for event in reversed(list(events))
    ]


def _details(event: Event) -> str:
    """What an event says besides what has a column."""
    return " ".join(
        f"{key}={value}"
        for key, value in event.payload().items()
        if key not in _COLUMNS
        and value is not True
        and value not in ("", None, 0, [], ())
        and len(str(value)) < 400
    )
