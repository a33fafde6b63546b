"""Server-sent events for pages that are open."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kahi.events import ProcessStateEvent
from kahi_api.admission import query_of
from kahi_api.context import context_of
from kahi_api.requests import Number, Parameters
from kahi_api.streams import ALIVE, BEGIN, Streams, encode_event, event_stream
from kahi_webui import views
from kahi_webui.live import Move, Viewer
from kahi_webui.state import WebUi

BATCH: Final = 0.15
"""Seconds in which changes gather before they are sent together."""


class LiveQuery(Parameters):
    """What a page shows, and the serial of the last event that it has seen."""

    process: str = ""
    since: Annotated[Number, Field(ge=0)] = 0


class LiveUpdates:
    """The route of the stream."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def follow(self, request: Request) -> Response:
        """What changes, from now on; ``?process=`` for that of one."""
        query = query_of(request, LiveQuery)
        updates = self._updates(query.process, query.since, context_of(request).streams)
        return event_stream(request, updates)

    async def _updates(self, process: str, since: int, streams: Streams) -> AsyncGenerator[bytes]:
        site = self._site
        with streams.wake() as wake:
            viewer = Viewer(process, wake.set)
            self._catch_up(viewer, since)
            if viewer.changed:
                wake.set()
            site.viewers.add(viewer)
            try:
                yield BEGIN
                while not wake.closing:
                    if not await wake.wait():
                        yield ALIVE
                        continue
                    await asyncio.sleep(BATCH)
                    for news in self._news(viewer):
                        yield news
            finally:
                site.viewers.remove(viewer)

    def _news(self, viewer: Viewer) -> Iterator[bytes]:
        changed, structure, usage = viewer.take()
        if structure:
            self._site.forget_removed()
            yield _event("structure", {})
        if changed:
            yield _event("changes", self._changes(viewer, changed))
        if usage:
            yield _event("usage", self._usage(viewer))

    def _catch_up(self, viewer: Viewer, since: int) -> None:
        """Note what happened after the event with the serial ``since``, which the page has seen."""
        events = self._site.supervisor.events
        history = events.history()
        if since > events.last_serial or not history or history[0].serial > since + 1:
            viewer.changed.update((name, deque()) for name in self._site.supervisor.processes)
            return
        for event in history:
            if event.serial > since and isinstance(event, ProcessStateEvent):
                viewer.note_process(event)

    def _changes(self, viewer: Viewer, changed: Mapping[str, Iterable[Move]]) -> list[dict[str, Any]]:
        processes = self._site.supervisor.processes
        return [
            views.changing(processes[name], self._site) | {"moves": list(moves)}
            for name, moves in sorted(changed.items())
            if name in processes and viewer.process in ("", name)
        ]

    def _usage(self, viewer: Viewer) -> dict[str, Any]:
        return {
            "now": self._site.now(),
            "values": {
                name: [used.cpu_percent, used.memory]
                for name, used in self._site.latest.items()
                if viewer.process in ("", name)
            },
        }


def _event(name: str, data: Any) -> bytes:
    return encode_event(json.dumps(data, separators=(",", ":")), event=name)
