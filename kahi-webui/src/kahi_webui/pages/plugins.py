"""The page of the plugins, and the pages that plugins add."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from kahi_webui.hookspecs import Page
from kahi_webui.site import page
from kahi_webui.state import WebUi


class PluginsPage:
    """Routes of the plugins."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The page."""
        return await page(self._site, request, "plugins.html", plugins=self._site.ctx.plugins.list())

    def show_page(self, plugin: str, added: Page) -> Callable[[Request], Awaitable[Response]]:
        """The handler of a page that a plugin added."""

        async def handler(request: Request) -> Response:
            status = 200
            try:
                body = await added.content(request)
            except Exception as error:  # noqa: BLE001 - boundary: plugins
                self._site.ctx.plugins.count_error(plugin, f"page {added.title!r}", error)
                status = 500
                body = Markup(
                    "<p>The plugin {} could not make this page; the daemon's log says why.</p>"
                ).format(plugin)
            return await page(self._site, request, "plain.html", status=status, title=added.title, body=body)

        return handler
