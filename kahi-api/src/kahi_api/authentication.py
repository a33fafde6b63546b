"""Who makes a request: the peer of a Unix socket, whom a plugin knows, or who has the password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from kahi.plugins import HookFailed, PluginManager
from kahi_api.endpoint import Access
from kahi_api.errors import Overloaded, Unauthorized
from kahi_api.hashers import hasher_for
from kahi_api.identity import Identity, peer_of
from kahi_api.throttle import Throttle

if TYPE_CHECKING:
    from starlette.requests import Request

    from kahi.hookspecs import PasswordHasher
    from kahi_api.settings import HttpSettings

log = logging.getLogger(__name__)

REMEMBERED: Final = 300.0
"""Seconds for which a verified password is not hashed again."""

AT_ONCE: Final = 1
"""Passwords that are hashed at the same time."""

WAITING: Final = 32
"""Requests that wait for that."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one user that there is over TCP."""

    username: bytes
    password: str
    hasher: PasswordHasher

    @classmethod
    def of(cls, settings: HttpSettings, hashers: Sequence[PasswordHasher]) -> Credentials | None:
        """What the configuration says; None when it names nobody. Raises ValueError for a bad hash."""
        password = settings.password.get_secret_value()
        if not settings.username or not password:
            return None
        return cls(settings.username.encode(), password, hasher_for(password, hashers))

    def verify(self, username: bytes, password: bytes) -> bool:
        """Whether they are right. An unknown user costs as much as a wrong password. Blocks."""
        right_password = self.hasher.verify(password, self.password)
        return hmac.compare_digest(username, self.username) and right_password


class Authenticator:
    """Tells who makes a request. Belongs to the event-loop thread.

    Args:
        plugins: asked by ``kahi_authenticate`` about requests over TCP.
        credentials: user name and password that are right, None for none.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        plugins: PluginManager,
        credentials: Credentials | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plugins = plugins
        self._credentials = credentials
        self._clock = clock
        self._throttle = Throttle(clock)
        self._key = os.urandom(32)
        self._verified: dict[bytes, float] = {}
        self._limiter = anyio.CapacityLimiter(AT_ONCE)

    def use(self, credentials: Credentials | None) -> None:
        """Take over other credentials; nobody is remembered."""
        self._credentials = credentials
        self._verified.clear()

    async def identify(self, request: Request, needed: Access) -> Identity:
        """Who makes ``request``; somebody unknown may use what is public.

        Raises:
            Unauthorized: what it brings to prove who it is, is wrong.
            TooManyAttempts: its address has to wait before it may try again.
            Overloaded: too many others wait to have theirs checked.
        """
        peer = peer_of(request)
        if peer.trusted:
            return Identity("", Access.ADMIN, peer)
        nobody = Identity("", Access.PUBLIC, peer)
        if needed is Access.PUBLIC:
            return nobody
        found = await self._known_to_plugins(request)
        if found is not None:
            return found
        header = request.headers.get("authorization", "")
        scheme, _, value = header.partition(" ")
        if self._credentials is None or scheme.lower() != "basic":
            return nobody
        username, password = _basic(value)
        if not await self._is_right(username, password, peer.address):
            log.warning("authentication failed from %s", peer.address)
            raise Unauthorized("wrong user name or password")
        return Identity(username.decode("utf-8", "replace"), Access.ADMIN, peer)

    async def _known_to_plugins(self, request: Request) -> Identity | None:
        try:
            found: Any = await self._plugins.first_async("kahi_authenticate", request=request)
        except HookFailed:
            # It is logged; who decides is broken, so nobody gets in.
            raise Unauthorized("authentication is out of order, see the daemon's log") from None
        if found is not None and not isinstance(found, Identity):
            log.error("kahi_authenticate returned something in place of an Identity")
            raise Unauthorized("authentication is out of order, see the daemon's log")
        return found

    async def _is_right(self, username: bytes, password: bytes, address: str) -> bool:
        """Whether user name and password are right, hashing only what is new."""
        digest = hmac.digest(self._key, len(username).to_bytes(4) + username + password, hashlib.sha256)
        if self._is_remembered(digest):
            return True
        if self._limiter.statistics().tasks_waiting >= WAITING:
            raise Overloaded
        with self._throttle.attempt(address) as attempt:
            async with self._limiter:
                # The same may have been verified while this waited.
                attempt.succeeded = self._is_remembered(digest) or await self._verify(
                    digest, username, password
                )
        return attempt.succeeded

    def _is_remembered(self, digest: bytes) -> bool:
        return self._verified.get(digest, 0.0) > self._clock()

    async def _verify(self, digest: bytes, username: bytes, password: bytes) -> bool:
        credentials = self._credentials
        if credentials is None:
            return False
        right = await anyio.to_thread.run_sync(credentials.verify, username, password)
        if right and credentials is self._credentials:
            # Of one user there is one password that is right, so this never grows.
            self._verified = {digest: self._clock() + REMEMBERED}
        return right


def _basic(value: str) -> tuple[bytes, bytes]:
    """User name and password of an Authorization header. Raises Unauthorized."""
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unauthorized("the Authorization header is malformed") from None
    username, colon, password = decoded.partition(b":")
    if not colon:
        raise Unauthorized("the Authorization header is malformed")
    return username, password
