"""Who is at the other end of a connection, and who makes a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from kahi_api.endpoint import Access


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection, as the kernel tells it.

    Args:
        uid: of the process behind a Unix socket, None over TCP or where it can not be told; ``pid``
            is 0 then.
        address: over TCP, "" for a Unix socket.
        trusted: the kernel vouches for it (a Unix socket whose file or peer was checked), so that
            it needs no password.
    """

    uid: int | None = None
    address: str = ""
    trusted: bool = False
    pid: int = 0

    def __str__(self) -> str:
        if self.address:
            return self.address
        if self.uid is None:
            return "unix"
        return f"uid {self.uid} pid {self.pid}" if self.pid else f"uid {self.uid}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a request, and what they may do; ``name`` is "" for somebody unknown."""

    name: str
    access: Access
    peer: Peer

    def __str__(self) -> str:
        return f"{self.name} ({self.peer})" if self.name else str(self.peer)


NOBODY: Final = Peer()


def peer_of(request: Request) -> Peer:
    """The other end of the connection on which ``request`` came."""
    return request.scope.get("state", {}).get("peer", NOBODY)


def identity_of(request: Request) -> Identity:
    """Who makes ``request``; for handlers, after it was admitted."""
    return request.state.identity
