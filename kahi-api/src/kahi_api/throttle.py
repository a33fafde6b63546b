"""Slowing down whoever guesses passwords."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from kahi_api.errors import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import Generator

FAILURES: Final = 10
"""Failed attempts of one address within `PERIOD`, after which it has to wait."""

PERIOD: Final = 60.0
"""Seconds."""

MANY: Final = 4096
"""Addresses that are remembered before those that may try again are forgotten."""


class Attempt:
    """One attempt; it counts as failed unless somebody says that it succeeded."""

    def __init__(self) -> None:
        self.succeeded = False


class Throttle:
    """Counts failed attempts by address. Those under way count as failed, so that it is of no use
    to try many passwords at once. Belongs to the event-loop thread; needs no timer.

    Args:
        clock: seconds that never jump.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    @contextmanager
    def attempt(self, address: str) -> Generator[Attempt]:
        """One attempt from an address. Raises TooManyAttempts."""
        now = self._clock()
        network = _network(address)
        failures = self._failures.setdefault(network, deque())
        while failures and failures[0] <= now - PERIOD:
            failures.popleft()
        if len(failures) >= FAILURES:
            raise TooManyAttempts(failures[0] + PERIOD - now)
        failures.append(now)
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if attempt.succeeded and now in failures:
                failures.remove(now)
            self._forget(network)

    def _forget(self, network: str) -> None:
        if not self._failures.get(network):
            self._failures.pop(network, None)
        if len(self._failures) > MANY:
            expired = self._clock() - PERIOD
            self._failures = {name: times for name, times in self._failures.items() if times[-1] > expired}


def _network(address: str) -> str:
    """An IPv4 address, or the IPv6 network that one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
