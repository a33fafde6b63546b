"""What state each process was in during the last quarter of an hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kahi.events import Event, ProcessStateEvent

WINDOW: Final = 900.0
"""Seconds that are shown."""

MAX_CHANGES: Final = 240
"""Changes kept for one process: a storm of restarts takes no more memory than that."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in one state: ``begin`` and ``end`` in seconds since the epoch."""

    state: str
    begin: float
    end: float


class Timelines:
    """Notes every change of state. Belongs to the event-loop thread."""

    def __init__(self) -> None:
        self._changes: dict[str, deque[tuple[float, str]]] = {}

    def note(self, event: Event) -> None:
        """Take in one event; those that are no change of state are ignored."""
        if not isinstance(event, ProcessStateEvent):
            return
        changes = self._changes.get(event.name)
        if changes is None:
            changes = self._changes[event.name] = deque(maxlen=MAX_CHANGES)
        changes.append((event.time, event.state))
        while len(changes) > 1 and changes[1][0] < event.time - WINDOW:
            changes.popleft()

    def keep_only(self, names: set[str]) -> None:
        """Forget processes that are gone."""
        for name in self._changes.keys() - names:
            del self._changes[name]

    def spans(self, name: str, state: str, now: float) -> list[Span]:
        """The last 15 minutes of a process, oldest first.

        Args:
            state: the present one, for a process of which no change is known.
        """
        return list(_spans(list(self._changes.get(name, ())), state, now - WINDOW, now))


def _spans(changes: list[tuple[float, str]], state: str, begin: float, now: float) -> Iterator[Span]:
    if not changes:
        yield Span(state, begin, now)
        return
    ends = [at for at, _ in changes[1:]] + [now]
    for (at, name), end in zip(changes, ends, strict=True):
        if end > begin:
            yield Span(name, max(at, begin), end)
