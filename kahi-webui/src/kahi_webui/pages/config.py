"""The page of the configuration: what is in force, and what a reload would change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kahi.config.resolved import resolved
from kahi.errors import ConfigError
from kahi.supervisor import ReloadReport
from kahi_webui.site import Notice, page
from kahi_webui.state import WebUi


class ConfigPage:
    """Routes of the configuration."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The page."""
        return await self._page(request)

    async def reload(self, request: Request) -> Response:
        """Apply what the files say."""
        supervisor = self._site.supervisor
        try:
            await supervisor.update()
        except ConfigError:
            return await self._page(request, Notice("error", "Nothing was applied."), status=422)
        return RedirectResponse("/config", 303)

    async def _page(self, request: Request, notice: Notice | None = None, *, status: int = 200) -> Response:
        site = self._site
        problems = ""
        report = ReloadReport()
        try:
            report = await site.supervisor.reread()
        except ConfigError as error:
            problems = str(error)
        config = site.supervisor.config
        pending = list(_pending(report))
        return await page(
            site,
            request,
            "config.html",
            status=status,
            notice=notice,
            problems=problems,
            pending=pending,
            restarts=sum(kind in ("removed", "restarted") for kind, _ in pending),
            warnings=[str(warning) for warning in (config.warnings if problems else report.warnings)],
            files=config.files,
            parts=list(_parts(resolved(config))),
        )


def _pending(report: ReloadReport) -> Iterator[tuple[str, str]]:
    for name in report.added:
        yield "added", f"group {name}"
    for name in report.removed:
        yield "removed", f"group {name}, its processes are stopped"
    for name in report.changed:
        yield "changed", f"group {name}"
    for name, keys in report.restarted.items():
        yield "restarted", f"process {name}, because of {', '.join(keys)}"


def _parts(tables: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Titles and texts: the daemon's table, each process, each table of a plugin."""
    for name, table in tables.items():
        if name == "groups":
            for group in table:
                for process in group["processes"]:
                    yield f"{group['name']}: {process['name']}", _text(process)
        elif name != "files":
            yield f"[{name}]", _text(table)


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
