"""Which stream is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Whose output it is: process, group, and ``stdout`` or ``stderr``."""

    name: str
    group: str
    stream: str
