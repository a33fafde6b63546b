"""Looking at what processes use, every few seconds, while somebody wants to know."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import anyio.to_thread

from kahi.system import System
from kahi.usage import LoadMeter
from kahi_webui.samples import INTERVAL
from kahi_webui.state import WebUi

LINGER: Final = 900.0
"""Seconds for which it goes on after the last page was closed, where it does not always go on."""


@asynccontextmanager
async def sampling(site: WebUi, *, always: bool) -> AsyncGenerator[None]:
    """Take samples for as long as the context is entered.

    Args:
        always: also while nobody looks; otherwise nothing runs until a page is opened.
    """
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_sample, site, always)
        yield
        tasks.cancel_scope.cancel()


async def _sample(site: WebUi, always: bool) -> None:
    meter = LoadMeter(System())
    last_seen = -math.inf
    while True:
        if site.viewers:
            last_seen = anyio.current_time()
        elif not always and anyio.current_time() - last_seen > LINGER:
            await site.viewers.wait()
            meter = LoadMeter(System())
            last_seen = anyio.current_time()
        up = {process.name: process for process in site.supervisor.processes.values() if process.pid}
        pids = {name: process.pid for name, process in up.items()}
        uptimes = {process.pid: process.uptime for process in up.values()}
        loads = await anyio.to_thread.run_sync(meter.look, uptimes)
        site.note_sample(site.now(), {name: loads[pid] for name, pid in pids.items() if pid in loads})
        await anyio.sleep(INTERVAL)
