"""uvicorn's h11 protocol, with what the daemon needs changed."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

from uvicorn.server import ServerState


class State(ServerState):
    """What all connections share. The Date header is made when it is needed, not by a tick."""

    def __init__(self) -> None:
        self._date = (0, b"")
        super().__init__()

    @property
    def default_headers(  # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> list[tuple[bytes, bytes]]:
        """Headers of every response."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return [(b"date", self._date[1])]

    @default_headers.setter
    def default_headers(self, headers: Any) -> None:
        """uvicorn sets them once to nothing."""
