"""Hooks that the web page adds for other plugins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

from kahi.hookspecs import PROJECT

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request

    from kahi.plugins import PluginContext
    from kahi.process import Process

hookspec = pluggy.HookspecMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a plugin, shown in the frame of the web page and linked from its head.

    Args:
        path: where it is served, below ``/pages/``: letters, digits, ``-`` and ``_``.
        title: what the link and the page are called.
        content: makes the content. Plain text is escaped; ``markupsafe.Markup`` is taken as HTML,
            for which the plugin answers. Styles and scripts in it are refused by the page's
            Content-Security-Policy.
    """

    path: str
    title: str
    content: Callable[[Request], Awaitable[str | Markup]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a plugin in the overview.

    Args:
        title: its heading.
        value: the text for one process; called for every process whenever the page is made or a
            process changes, on the event loop, so it looks something up and no more.
    """

    title: str
    value: Callable[[Process], str]


@hookspec
def kahi_webui_pages(ctx: PluginContext) -> Sequence[Page]:  # type: ignore[empty-body]
    """Add pages, each shown in the frame of the web page and linked from its head.

    Called: once each time the server starts, in the event loop.
    Exception: logged and counted, and the web page goes without.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_webui_pages(ctx):
            return [Page("shifts", "Shifts", shifts)]
    """


@hookspec
def kahi_webui_columns(ctx: PluginContext) -> Sequence[Column]:  # type: ignore[empty-body]
    """Add columns to the overview.

    Called: once each time the server starts, in the event loop.
    Exception: logged and counted, in a column's ``value`` too; the cell stays empty.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_webui_columns(ctx):
            return [Column("owner", lambda process: owners.get(process.name, ""))]
    """
