"""Running the long-running parts of plugins: each in a task of its own, restarted when it dies.

The tasks are plain ones, outside of every task group: one that does not end when it is told to can
be left behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from kahi.boundary import AWAITED_ERRORS
from kahi.definition import Backoff
from kahi.hookspecs import Service
from kahi.lifecycle import backoff_delay
from kahi.plugins import PluginManager, ServiceInfo

log = logging.getLogger(__name__)

BACKOFF: Final = Backoff(initial=1.0, factor=2.0, maximum=60.0)
SETTLED_AFTER: Final = 30.0
"""Seconds a service has to live for its next failure to count as the first."""

STOP_LIMIT: Final = 30.0
"""Seconds that no service can extend its time to stop beyond."""

CANCEL_LIMIT: Final = 1.0
"""Seconds that a service has to end once it is cancelled."""


class Services:
    """All services of all plugins."""

    def __init__(self, plugins: PluginManager) -> None:
        self._plugins = plugins
        self._running: list[_RunningService] = []

    def start(self, services: Iterable[tuple[str, Service]]) -> None:
        """Start the services, given with the names of their plugins."""
        for plugin, service in services:
            self._running.append(_RunningService(self._plugins, plugin, service))

    async def stop(self) -> None:
        """Stop all at once, each within its own time; returns also when one does not."""
        await asyncio.gather(*(each.stop() for each in self._running))


class _RunningService:
    """One service, for as long as the daemon runs."""

    def __init__(self, plugins: PluginManager, plugin: str, service: Service) -> None:
        self._plugins = plugins
        self._plugin = plugin
        self._service = service
        self._info = ServiceInfo(service.name)
        self._leave = asyncio.Event()
        self._what = f"service {service.name}"
        self._task = asyncio.create_task(self._run(), name=f"plugin {plugin}: {self._what}")
        plugins.note_service(plugin, self._info)

    async def stop(self) -> None:
        """Leave the service in order, or cancel it, or leave it behind."""
        self._leave.set()
        limit = min(self._service.stop_seconds, STOP_LIMIT) if self._info.state == "up" else 0.0
        await asyncio.wait([self._task], timeout=limit)
        if not self._task.done():
            if self._info.state == "up":
                log.warning("plugin %s: %s did not stop in %.1f s", self._plugin, self._what, limit)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_LIMIT)
        if self._task.done():
            self._info.state = "stopped"
        else:
            self._info.state = "stuck"
            log.error("plugin %s: %s swallows its cancellation, left behind", self._plugin, self._what)

    async def _run(self) -> None:
        failures = 0
        now = asyncio.get_running_loop().time
        while not self._leave.is_set():
            begin = now()
            self._info.state = "starting"
            try:
                async with self._service.run():
                    self._info.state = "up"
                    await self._leave.wait()
            except AWAITED_ERRORS as error:
                self._plugins.count_error(self._plugin, self._what, error)
            if self._leave.is_set():
                return
            failures = 1 if now() - begin >= SETTLED_AFTER else failures + 1
            self._info.state = "waiting"
            self._info.restarts += 1
            delay = backoff_delay(BACKOFF, failures, 0.0)
            log.warning("plugin %s: %s ended, again in %.0f s", self._plugin, self._what, delay)
            await self._pause(delay)

    async def _pause(self, delay: float) -> None:
        """Wait, but not when the daemon ends."""
        leaving = asyncio.ensure_future(self._leave.wait())
        try:
            await asyncio.wait([leaving], timeout=delay)
        finally:
            leaving.cancel()
