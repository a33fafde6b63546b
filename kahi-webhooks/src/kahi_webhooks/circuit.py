"""A circuit breaker: who does not answer is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FAILURES: Final = 5
"""Failed attempts in a row that open the circuit."""

PROBE_INTERVAL: Final = 300.0
"""Seconds between two attempts while it is open."""


@dataclass(slots=True)
class Circuit:
    """Closed while attempts succeed; open after five failures in a row, until one succeeds."""

    failures: int = 0
    next_probe: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether attempts are held back."""
        return self.next_probe is not None

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until the next attempt is allowed."""
        return 0.0 if self.next_probe is None else max(0.0, self.next_probe - now)

    def succeeded(self) -> None:
        """An attempt succeeded: everything is as it was."""
        self.failures = 0
        self.next_probe = None

    def failed(self, now: float) -> None:
        """An attempt failed."""
        self.failures += 1
        if self.failures >= FAILURES:
            self.next_probe = now + PROBE_INTERVAL
