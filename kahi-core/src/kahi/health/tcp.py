"""The tcp check: somebody takes a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kahi.config.values import parse_endpoint
from kahi.health.connection import connected

if TYPE_CHECKING:
    from kahi.process import Process


class TcpCheck:
    """Connects to ``host:port`` and hangs up."""

    def __init__(self, endpoint: str) -> None:
        self._host, self._port = parse_endpoint(endpoint)

    async def check(self, process: Process) -> None:
        """Connect once. Raises CheckFailed."""
        async with connected(self._host, self._port):
            pass
