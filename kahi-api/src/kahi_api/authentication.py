"""Who makes a request: the peer of a Unix socket whom the kernel vouches for."""

from __future__ import annotations

from starlette.requests import Request

from kahi_api.endpoint import Access
from kahi_api.identity import Identity, peer_of


class Authenticator:
    """Tells who makes a request."""

    async def identify(self, request: Request, needed: Access) -> Identity:
        """Who makes ``request``; somebody unknown may use what is public."""
        peer = peer_of(request)
        return Identity("", Access.ADMIN if peer.trusted else Access.PUBLIC, peer)
