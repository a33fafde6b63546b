"""All routes of the page, each with who may use it."""

from __future__ import annotations

from pydantic import BaseModel

from kahi_api.endpoint import Access, Endpoint, EventStream, Handler, Page
from kahi_webui.pages import static
from kahi_webui.pages.actions import ActionForm, Actions
from kahi_webui.pages.config import ConfigPage
from kahi_webui.pages.events import EventsPage, EventsQuery
from kahi_webui.pages.live import LiveQuery, LiveUpdates
from kahi_webui.pages.log import LogPage, LogQuery
from kahi_webui.pages.overview import OfOneProcess, Overview, OverviewQuery
from kahi_webui.pages.plugins import PluginsPage
from kahi_webui.pages.process import ProcessPage
from kahi_webui.state import WebUi


def endpoints(site: WebUi) -> list[Endpoint]:
    """The routes that show ``site``."""
    overview, process, log = Overview(site), ProcessPage(site), LogPage(site)
    config, plugins, events = ConfigPage(site), PluginsPage(site), EventsPage(site)
    actions, live = Actions(site), LiveUpdates(site)
    return [
        _page("/", overview.show, "All processes", OverviewQuery),
        _page("/overview.json", overview.data, "All processes, for scripts of the page"),
        _page("/history.json", overview.history, "CPU and memory of the last 15 minutes", OfOneProcess),
        _page("/process/{name}", process.show, "One process"),
        _page("/process/{name}/log/{stream}", log.show, "A log", LogQuery),
        _page("/process/{name}/log/{stream}/download", log.download, "A log as a file"),
        _page("/config", config.show, "The configuration"),
        _page("/plugins", plugins.show, "The plugins"),
        _page("/events", events.show, "Recent events", EventsQuery),
        *(
            _page(f"/pages/{each.path}", plugins.show_page(name, each), each.title)
            for name, each in site.pages
        ),
        Endpoint(
            "GET",
            "/live",
            Access.READ,
            live.follow,
            "What changes",
            query=LiveQuery,
            answers={200: EventStream},
            hidden=True,
        ),
        Endpoint(
            "GET", "/static/{version}/{name}", Access.READ, static.asset, "A file of the page", hidden=True
        ),
        Endpoint(
            "POST", "/actions", Access.OPERATE, actions.act, "Act", body=ActionForm, form=True, hidden=True
        ),
        Endpoint("POST", "/config/reload", Access.ADMIN, config.reload, "Reload", form=True, hidden=True),
    ]


def _page(path: str, handler: Handler, summary: str, query: type[BaseModel] | None = None) -> Endpoint:
    return Endpoint("GET", path, Access.READ, handler, summary, query=query, answers={200: Page}, hidden=True)
