"""The plugin: routes of the page, what it notes of events, and its samples."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kahi.hookspecs import ConfigSection, Service, hookimpl
from kahi.plugins import PluginContext
from kahi_webui.settings import WebUiSettings

if TYPE_CHECKING:
    from kahi_api.endpoint import Endpoint
    from kahi_webui.state import WebUi


class WebUiPlugin:
    """The web page. Its routes are only there while ``[webui] enabled`` says so."""

    def __init__(self) -> None:
        self._site: WebUi | None = None

    @hookimpl
    def kahi_addhooks(self) -> Sequence[object]:
        """Pages and columns of other plugins."""
        from kahi_webui import hookspecs

        return (hookspecs,)

    @hookimpl
    def kahi_config_sections(self) -> Sequence[ConfigSection]:
        """``[webui]``."""
        return (ConfigSection("webui", WebUiSettings),)

    @hookimpl
    def kahi_setup(self, ctx: PluginContext) -> None:
        """Begin to note states, so that the page has a past when it is opened."""
        if not _settings(ctx).enabled:
            return
        from kahi_webui.live import EVENTS
        from kahi_webui.state import WebUi

        self._site = site = WebUi(ctx)
        ctx.events.subscribe(site.timelines.note, "PROCESS_STATE", owner="webui")
        ctx.events.subscribe(site.viewers.note, *EVENTS, owner="webui")
        if ctx.user:
            # The new user may not be allowed to read the libraries.
            importlib.import_module("kahi_webui.routes")
            importlib.import_module("kahi_webui.site").templates()

    @hookimpl
    def kahi_api_routes(self, ctx: PluginContext) -> Sequence[Endpoint]:
        """All pages."""
        if self._site is None:
            return ()
        from kahi_webui.routes import endpoints

        self._site.columns = [
            (name, column)
            for name, columns in ctx.plugins.call("kahi_webui_columns", ctx=ctx)
            for column in columns or ()
        ]
        self._site.pages = [
            (name, page)
            for name, pages in ctx.plugins.call("kahi_webui_pages", ctx=ctx)
            for page in pages or ()
        ]
        return endpoints(self._site)

    @hookimpl
    def kahi_services(self, ctx: PluginContext) -> Sequence[Service]:
        """Samples of CPU and memory."""
        site = self._site
        if site is None:
            return ()
        from kahi_webui.sampler import sampling

        is_reachable = bool(
            getattr(getattr(ctx.config.sections.get("server"), "http", None), "enabled", False)
        )
        always = _settings(ctx).sampling and is_reachable
        return (Service("samples", lambda: sampling(site, always=always)),)


def _settings(ctx: PluginContext) -> WebUiSettings:
    return ctx.config.sections["webui"]


plugin = WebUiPlugin()
