"""Style sheet, scripts and pictures."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kahi_webui.site import assets

FOR_EVER: Final = "public, max-age=31536000, immutable"


async def asset(request: Request) -> Response:
    """One of our files; its address holds a word that changes with it."""
    found = assets()[1].get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": FOR_EVER})
