"""Restarting processes that outgrow their ``max_memory``.

Memory has no event to wait for, so this looks every few seconds; only while some process has a
limit, and off the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import anyio.to_thread

from kahi.lifecycle import State
from kahi.process import Process
from kahi.supervisor.background import Background
from kahi.supervisor.recovery import Recovery
from kahi.supervisor.roster import Roster
from kahi.system import ProcessEntry, System
from kahi.usage import usage_of_trees

log = logging.getLogger(__name__)

INTERVAL: Final = 2.0
"""Seconds between two looks."""


class MemoryWatch:
    """Looks at the memory of processes that have a limit. Belongs to the event-loop thread."""

    def __init__(
        self,
        roster: Roster,
        recovery: Recovery,
        background: Background,
        system: System,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._roster = roster
        self._recovery = recovery
        self._background = background
        self._system = system
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._is_looking = False

    def reconsider(self) -> None:
        """Begin to look, or stop, as the running processes demand."""
        if self._is_looking:
            return
        wanted = any(_is_limited(process) for process in self._roster.processes.values())
        if wanted and self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._begin)
        elif not wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._timer = None
        self._is_looking = True
        self._background.run(self._look())

    async def _look(self) -> None:
        try:
            self._judge(await anyio.to_thread.run_sync(self._system.process_table))
        except OSError as error:
            # Descriptors have run out, most likely.
            log.error("the memory of processes can not be looked at: %s", error)
        finally:
            self._is_looking = False
            self.reconsider()

    def _judge(self, entries: Sequence[ProcessEntry]) -> None:
        used = usage_of_trees(entries, [p.pid for p in self._roster.processes.values() if p.pid])
        for process in tuple(self._roster.processes.values()):
            limit = process.definition.max_memory
            if _is_limited(process) and process.pid in used and used[process.pid].memory > limit:
                reason = f"its tree uses {used[process.pid].memory} bytes, max_memory is {limit}"
                self._recovery.restart(process, reason)


def _is_limited(process: Process) -> bool:
    return bool(process.definition.max_memory) and process.state in (State.STARTING, State.RUNNING)
