"""What all webhooks share: the HTTP library and the trusted certificates.

Both take a tenth of a second, so they are got on a thread, when the first message is to go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from kahi_webhooks.exchange import Exchange, NarrowTls
    from kahi_webhooks.settings import WebhookSettings


class Courier(Protocol):
    """Who brings messages to their receivers."""

    async def get_ready(self) -> None:
        """Do what takes long, once."""
        ...

    async def post(self, settings: WebhookSettings, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; returns the status. Raises AttemptFailed."""
        ...


class HttpCourier:
    """Posts over HTTP.

    Args:
        narrow: lets plugins narrow down what TLS accepts.
    """

    def __init__(self, narrow: NarrowTls) -> None:
        self._narrow = narrow
        self._exchange: Exchange | None = None
        self._lock = anyio.Lock()

    async def get_ready(self) -> None:
        """Import the library and read the certificates, unless that was done."""
        async with self._lock:
            if self._exchange is None:
                self._exchange = await anyio.to_thread.run_sync(load_exchange, self._narrow)

    async def post(self, settings: WebhookSettings, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; returns the status. Raises AttemptFailed."""
        assert self._exchange is not None
        return await self._exchange.post(settings, body, headers)


def load_exchange(narrow: NarrowTls) -> Exchange:
    """Import everything that is needed to post."""
    from kahi_webhooks.exchange import make_exchange

    return make_exchange(narrow)
