"""Looking at what processes use, every few seconds, while somebody wants to know."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import anyio
import anyio.to_thread

from kahi.system import System
from kahi.usage import usage_of_trees
from kahi_webui.samples import INTERVAL, Usage
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
    sampler = Sampler(System())
    last_seen = -math.inf
    while True:
        if site.viewers:
            last_seen = anyio.current_time()
        elif not always and anyio.current_time() - last_seen > LINGER:
            await site.viewers.wait()
            sampler = Sampler(System())
            last_seen = anyio.current_time()
        pids = {process.name: process.pid for process in site.supervisor.processes.values()}
        site.note_sample(site.now(), await sampler.sample(pids))
        await anyio.sleep(INTERVAL)


class Sampler:
    """Turns CPU time into a share of it, by the difference to the sample before."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._before: Mapping[int, float] = {}
        self._taken_at = 0.0

    async def sample(self, pids: Mapping[str, int]) -> dict[str, Usage]:
        """What the process trees use that begin at ``pids``; 0 stands for none."""
        roots = [pid for pid in pids.values() if pid]
        entries = await anyio.to_thread.run_sync(self._system.process_table)
        now = self._system.monotonic()
        elapsed = now - self._taken_at
        found = usage_of_trees(entries, roots)
        before, self._before = self._before, {pid: used.cpu_seconds for pid, used in found.items()}
        self._taken_at = now
        return {
            name: Usage(_share(found[pid].cpu_seconds, before.get(pid), elapsed), found[pid].memory)
            for name, pid in pids.items()
            if pid in found
        }


def _share(now: float, before: float | None, elapsed: float) -> float:
    """Percent of one core. A tree that was not there before has used all its time since."""
    used = now - (before or 0.0)
    # Time of a member that ended without being waited for is lost to the tree.
    return max(0.0, used / elapsed * 100) if elapsed > 0 else 0.0
