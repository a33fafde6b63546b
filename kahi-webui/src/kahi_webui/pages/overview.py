"""The overview: every group and process, and what scripts ask for while it is open."""

from __future__ import annotations

from typing import Annotated, Any, Final

import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kahi_api.admission import query_of
from kahi_api.requests import Number, Parameters
from kahi_webui import views
from kahi_webui.site import page
from kahi_webui.state import WebUi
from kahi_webui.timeline import Span

ROWS: Final = 100
"""Processes on one page. A script adds the others to the first one while somebody looks at these."""


class OverviewQuery(Parameters):
    """Which processes are shown."""

    q: str = ""
    state: str = ""
    page: Annotated[Number, Field(ge=1)] = 1


class OfOneProcess(Parameters):
    """The process that is asked about, "" for all."""

    process: str = ""


class Overview:
    """Routes of the overview."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The page."""
        site = self._site
        query = query_of(request, OverviewQuery)
        state = query.state.upper() if query.state.upper() in views.STATES else ""
        now = site.now()
        chosen = views.chosen(site, query.q, state)
        begin = min((query.page - 1) * ROWS, len(chosen))
        shown = chosen[begin : begin + ROWS]
        titles = [column.title for _, column in site.columns]
        return await page(
            site,
            request,
            "overview.html",
            groups=views.groups(site, shown, now),
            summary=views.summary(site),
            column_titles=titles,
            blank=views.blank_row(len(titles)),
            now=now,
            serial=site.supervisor.events.last_serial,
            q=query.q,
            only=state,
            is_part=len(shown) < len(site.supervisor.processes),
            page=query.page,
            pages=-(-len(chosen) // ROWS),
        )

    async def data(self, request: Request) -> Response:
        """All processes as JSON, for scripts."""
        site = self._site
        now = site.now()
        groups = views.groups(site, views.chosen(site), now)
        return await anyio.to_thread.run_sync(
            lambda: JSONResponse({"groups": [_plain(each) for each in groups]})
        )

    async def history(self, request: Request) -> Response:
        """CPU and memory of the last 15 minutes: two lists for each process, oldest first."""
        site = self._site
        only = query_of(request, OfOneProcess).process
        names = [only] if only else list(site.supervisor.processes)
        samples = site.samples
        return await anyio.to_thread.run_sync(
            lambda: JSONResponse(
                {name: [_rounded(samples.cpu(name)), _whole(samples.memory(name))] for name in names}
            )
        )


def _plain(group: views.GroupView) -> dict[str, Any]:
    processes = [{**process, "spans": _spans(process["spans"])} for process in group.processes]
    return {"name": group.name, "count": group.count, "is_shown": group.is_shown, "processes": processes}


def _spans(spans: list[Span]) -> list[tuple[str, float, float]]:
    return [(span.state, round(span.begin, 1), round(span.end, 1)) for span in spans]


def _rounded(values: list[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 1) for value in values]


def _whole(values: list[float | None]) -> list[int | None]:
    return [None if value is None else int(value) for value in values]
