"""The log of a process: as a page that works without scripts, and as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kahi.output import OutputStream
from kahi.process import Process
from kahi_api.admission import query_of
from kahi_api.requests import Number, Parameters
from kahi_api.routes.logs import stream_of
from kahi_webui import views
from kahi_webui.pages.process import streams
from kahi_webui.site import page
from kahi_webui.state import WebUi

PAGE_BYTES: Final = 32 * 1024
DOWNLOAD_PIECE: Final = 256 * 1024


class LogQuery(Parameters):
    """Which part of a log is shown."""

    offset: Number | None = Field(default=None, ge=0)


class LogPage:
    """Routes of the logs of processes."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """A piece of a log by offset; the newest without one. A script makes it live."""
        process, which = self._process(request), request.path_params["stream"]
        log = stream_of(process, "stdout" if which == "both" else which)
        offset = query_of(request, LogQuery).offset
        piece = await log.read(-PAGE_BYTES if offset is None else offset, PAGE_BYTES)
        begin = piece.offset - len(piece.data)
        return await page(
            self._site,
            request,
            "log.html",
            p=views.row(process, self._site, self._site.now()) | {"streams": streams(process)},
            stream=which,
            lines=piece.data.decode("utf-8", "replace"),
            begin=begin,
            end=piece.offset,
            missed=piece.missed,
            older=max(0, begin - PAGE_BYTES) if begin > 0 else None,
            newer=piece.offset if piece.offset < log.offset else None,
        )

    async def download(self, request: Request) -> Response:
        """All of a log that is still there, up to where it ends now."""
        process, which = self._process(request), request.path_params["stream"]
        log = stream_of(process, which)
        name = f"{process.name}-{which}.log".encode("ascii", "replace").decode().replace('"', "_")
        return StreamingResponse(
            _whole(log, log.offset),
            media_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _process(self, request: Request) -> Process:
        return self._site.supervisor.process(request.path_params["name"])


async def _whole(log: OutputStream, end: int) -> AsyncIterator[bytes]:
    offset = 0
    while offset < end:
        piece = await log.read(offset, min(DOWNLOAD_PIECE, end - offset))
        if not piece.data:
            return
        yield piece.data
        offset = piece.offset
