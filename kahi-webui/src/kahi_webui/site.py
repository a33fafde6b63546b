"""Rendering: templates, assets, and what is around every page."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kahi.events import TYPES
from kahi.version import __version__
from kahi_webui import wording
from kahi_webui.state import WebUi

if TYPE_CHECKING:
    from jinja2 import Environment

API: Final = "/api/v1"

EPOCH: Final = int(time.time()) - 3600
"""Where timelines count from (seconds since the epoch): pictures have single precision, and would lose
seconds and minutes counted from 1970."""

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Media types of assets by the end of their name."""

OWN_PAGES: Final = (
    ("/", "Processes"),
    ("/events", "Events"),
    ("/config", "Configuration"),
    ("/plugins", "Plugins"),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages refer to."""

    name: str
    body: bytes
    media_type: str


@cache
def assets() -> tuple[str, Mapping[str, Asset]]:
    """All assets by name, and a word that changes when one of them does."""
    found: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for entry in sorted(files("kahi_webui").joinpath("static").iterdir(), key=lambda entry: entry.name):
        media_type = MEDIA_TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            body = entry.read_bytes()
            digest.update(body)
            found[entry.name] = Asset(entry.name, body, media_type)
    return digest.hexdigest()[:12], found


def asset_url(name: str) -> str:
    """Where an asset is served; the address changes with its content, so it may be kept for ever."""
    return f"/static/{assets()[0]}/{name}"


def path_part(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


@cache
def templates() -> Environment:
    """The templates of all pages; the first call imports what reads them, which starting does without."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kahi_webui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["pathpart"] = path_part
    environment.filters["spoken"] = wording.spoken
    return environment


@dataclass(frozen=True, slots=True)
class Notice:
    """A message above the page; ``kind`` is ``done`` or ``error``."""

    kind: str
    text: str


async def page(
    site: WebUi,
    request: Request,
    template: str,
    *,
    status: int = 200,
    notice: Notice | None = None,
    **values: Any,
) -> Response:
    """The answer that shows a template with ``values`` in the frame of all pages.

    Rendering happens on a worker thread, so ``values`` are plain data that nobody changes.
    """
    everything = values | {
        "asset": asset_url,
        "api": API,
        "base": "",
        "version": __version__,
        "pid": os.getpid(),
        "types": " ".join(sorted(TYPES)),
        "epoch": EPOCH,
        "now_exact": site.now(),
        "identifier": site.supervisor.identifier,
        "config_path": site.supervisor.config.path,
        "navigation": [*OWN_PAGES, *((f"/pages/{each.path}", each.title) for _, each in site.pages)],
        "here": request.url.path,
        "notice": notice or _notice_of(request),
    }
    text = await anyio.to_thread.run_sync(lambda: templates().get_template(template).render(everything))
    return HTMLResponse(text, status)


def _notice_of(request: Request) -> Notice | None:
    """What a form that was sent before has to say."""
    text = request.query_params.get("failed")
    return None if text is None else Notice("error", text)
