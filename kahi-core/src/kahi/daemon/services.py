"""Running the long-running parts of plugins: each in a task of its own, restarted when it dies."""

from __future__ import annotations

import logging
from typing import Final

import anyio

from kahi.definition import Backoff
from kahi.hookspecs import Service
from kahi.lifecycle import backoff_delay
from kahi.plugins import PluginManager

log = logging.getLogger(__name__)

BACKOFF: Final = Backoff(initial=1.0, factor=2.0, maximum=60.0)
SETTLED_AFTER: Final = 30.0
"""Seconds a service has to live for its next failure to count as the first."""


async def run_service(plugins: PluginManager, plugin: str, service: Service) -> None:
    """Keep a service up until the task is cancelled."""
    failures = 0
    while True:
        begin = anyio.current_time()
        try:
            async with service.run():
                await anyio.sleep_forever()
        except Exception as error:  # noqa: BLE001 - boundary: a plugin's service
            plugins.count_error(plugin, f"service {service.name}", error)
        if anyio.current_time() - begin >= SETTLED_AFTER:
            failures = 0
        failures += 1
        delay = backoff_delay(BACKOFF, failures, 0.0)
        log.warning("plugin %s: service %s ended, again in %.0f s", plugin, service.name, delay)
        await anyio.sleep(delay)
