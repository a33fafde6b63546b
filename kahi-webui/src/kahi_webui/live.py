"""Telling open pages what changes.

A viewer gathers the names of what changed, so that it holds at most one entry for each process,
however slowly its page reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from kahi.events import Event, ProcessGroupEvent, ProcessHealthEvent, ProcessStateEvent

EVENTS: Final = ("PROCESS_STATE", "PROCESS_HEALTH", "PROCESS_GROUP", "CONFIG")
"""What open pages have to hear of."""


MAX_MOVES: Final = 16
"""States that are told of a process between two messages; the last ones, in a storm."""

Move = tuple[str, float]
"""A state, and when it was entered (seconds since the epoch)."""


class Viewer:
    """One open page.

    Args:
        process: the only one it shows, "" for all.
        wake: called when there is something to tell it.
    """

    def __init__(self, process: str, wake: Callable[[], None]) -> None:
        self.process = process
        self.wake = wake
        self.changed: dict[str, deque[Move]] = {}
        self.structure_changed = False
        self.usage_changed = False

    def note(self, event: Event) -> None:
        """Remember what an event changes on the page."""
        if isinstance(event, (ProcessStateEvent, ProcessHealthEvent)):
            if self.process and event.name != self.process:
                return
            self.note_process(event)
        elif isinstance(event, ProcessGroupEvent) or event.type == "CONFIG_RELOADED":
            self.structure_changed = True
        self.wake()

    def note_process(self, event: ProcessStateEvent | ProcessHealthEvent) -> None:
        """Remember that a process changed, and through which states it went."""
        moves = self.changed.setdefault(event.name, deque(maxlen=MAX_MOVES))
        if isinstance(event, ProcessStateEvent):
            moves.append((event.state, event.time))

    def take(self) -> tuple[Mapping[str, Iterable[Move]], bool, bool]:
        """Processes that changed with their moves, whether groups did, and whether there is a new sample."""
        taken = self.changed, self.structure_changed, self.usage_changed
        self.changed = {}
        self.structure_changed = self.usage_changed = False
        return taken


class Viewers:
    """All open pages."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._arrived = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._viewers)

    def add(self, viewer: Viewer) -> None:
        """A page was opened."""
        self._viewers.add(viewer)
        self._arrived.set()

    async def wait(self) -> None:
        """Return once somebody looks."""
        while not self._viewers:
            self._arrived.clear()
            await self._arrived.wait()

    def remove(self, viewer: Viewer) -> None:
        """A page was closed."""
        self._viewers.discard(viewer)

    def note(self, event: Event) -> None:
        """Tell all pages of an event."""
        for viewer in self._viewers:
            viewer.note(event)

    def show_usage(self) -> None:
        """Tell all pages that there is a new sample."""
        for viewer in self._viewers:
            viewer.usage_changed = True
            viewer.wake()
