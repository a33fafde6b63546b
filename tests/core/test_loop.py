"""The end of the daemon's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from kahi.daemon import loop as loops
from kahi.daemon.loop import Ended, run_loop
from kahi.plugins import PluginManager


def test_a_generator_that_does_not_end_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a plugin has left, and that waits for something when it is closed."""
    monkeypatch.setattr(loops, "LAST_TASKS", 0.05)
    left: list[AsyncGenerator[int]] = []
    used: list[asyncio.AbstractEventLoop] = []

    async def endless() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(3600)

    async def main() -> int:
        left.append(endless())
        used.append(asyncio.get_running_loop())
        return 2 + await anext(left[0])

    assert run_loop(main, PluginManager(), watched=False) == Ended(3, clean=False)
    (loop,) = used
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
    loop.close()
