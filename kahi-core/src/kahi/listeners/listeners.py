"""All pools of listeners of one daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import anyio

from kahi.events import EventBus
from kahi.listeners.pool import Pool, Restart
from kahi.listeners.ticks import Ticks
from kahi.process import Process
from kahi.system import System

PATIENCE: Final = 1.0
"""Seconds that a shutdown waits for the next word of a pool that has events left."""

FAREWELL: Final = 5.0
"""Seconds that it waits for all pools together, however busy they are."""


class Listeners:
    """Follows processes, and keeps a pool for each table of listeners. Belongs to the event-loop thread.

    Args:
        identifier: the daemon's, for the headers.
        restart: restarts a listener that broke the protocol.
        settled: told of a listener that dealt with an event.
    """

    def __init__(
        self,
        events: EventBus,
        system: System,
        loop: asyncio.AbstractEventLoop,
        *,
        identifier: str,
        restart: Restart,
        settled: Callable[[Process], None],
    ) -> None:
        self._events = events
        self._loop = loop
        self._identifier = identifier
        self._restart = restart
        self._settled = settled
        self._pools: dict[str, Pool] = {}
        self._ticks = Ticks(events, system, loop)

    @property
    def pools(self) -> Mapping[str, Pool]:
        """The pools by name."""
        return MappingProxyType(self._pools)

    def close(self) -> None:
        """Take no more events."""
        self._ticks.close()
        for pool in self._pools.values():
            pool.close()

    async def farewell(self) -> None:
        """Let listeners deal with the last events; one that does not answer is not waited for."""
        with anyio.move_on_after(FAREWELL):
            async with anyio.create_task_group() as tasks:
                for pool in self._pools.values():
                    tasks.start_soon(_drained, pool)

    # Told by the supervisor

    def process_added(self, process: Process) -> None:
        """Take in a process if it is a listener."""
        settings = process.definition.listener
        if settings is None:
            return
        pool = self._pools.get(process.program)
        if pool is None:
            pool = self._pools[process.program] = Pool(
                process.program,
                settings,
                self._events,
                self._loop,
                identifier=self._identifier,
                restart=self._restart,
                settled=self._settled,
            )
        pool.add(process)

    def process_changed(self, process: Process) -> None:
        """Note a change of state."""
        if process.definition.listener is not None:
            self._pools[process.program].process_changed(process)

    def process_redefined(self, process: Process) -> None:
        """Take over what a listener wants now; it may be none any more, or have become one."""
        settings = process.definition.listener
        pool = self._pools.get(process.program)
        if pool is None or process not in pool:
            self.process_added(process)
        elif settings is None:
            self.process_removed(process)
        else:
            pool.reconfigure(settings)

    def process_removed(self, process: Process) -> None:
        """Let go of a process, and of its pool with the last one."""
        pool = self._pools.get(process.program)
        if pool is None or process not in pool:
            return
        pool.remove(process)
        if pool.is_empty:
            pool.close()
            del self._pools[process.program]


async def _drained(pool: Pool) -> None:
    """Return when a pool has nothing left to do, or says nothing any more."""
    while pool.is_up and not pool.is_idle:
        with anyio.move_on_after(PATIENCE) as patience:
            await pool.hears()
        if patience.cancelled_caught:
            return
