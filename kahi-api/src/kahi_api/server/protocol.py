"""uvicorn's h11 protocol, with what the daemon needs changed."""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from kahi.system import System
from kahi_api.identity import Peer


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


class Protocol(H11Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who is at the other end, for all requests on this connection."""
        super().connection_made(transport)
        self.app_state = {"peer": _peer(transport.get_extra_info("socket"))}


def _peer(connection: socket.socket) -> Peer:
    if connection.family != socket.AF_UNIX:
        return Peer(address=connection.getpeername()[0])
    identity = System().peer_identity(connection)
    return Peer(uid=None if identity is None else identity[0], trusted=True)


@lru_cache(maxsize=1)
def _http_date(now: int) -> bytes:
    return formatdate(now, usegmt=True).encode()
