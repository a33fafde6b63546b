"""uvicorn's h11 protocol, with what the daemon needs changed."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

from uvicorn.server import ServerState


class State(ServerState):
    """What all connections share. The Date header is made when it is needed, not by a tick."""

    if not TYPE_CHECKING:

        @property
        def default_headers(self) -> list[tuple[bytes, bytes]]:
            """Headers of every response."""
            return [(b"date", _http_date(int(time.time())))]

        @default_headers.setter
        def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
            """uvicorn sets them once to nothing."""


@lru_cache(maxsize=1)
def _http_date(now: int) -> bytes:
    return formatdate(now, usegmt=True).encode()
