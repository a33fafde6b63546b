"""Answering with JSON."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response


class JsonResponse(Response):
    """Any values as JSON, in ASCII: also what is no text at all (names of files, arguments) can be told."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


class EncodedJsonResponse(Response):
    """JSON that is encoded already."""

    media_type = "application/json"
