"""A plugin that fails again and again, for chaos runs: its hook raises, its service dies."""

from __future__ import annotations

NAME = "failing"

CODE = """
from contextlib import asynccontextmanager

import anyio
from kahi.hookspecs import Service, hookimpl

count = 0


@hookimpl(events=["process_state"])
def kahi_event(event):
    global count
    count += 1
    if count % 7 == 0:
        raise RuntimeError("a hook that fails")


@hookimpl
def kahi_services(ctx):
    return [Service("mortal", dying)]


async def end():
    await anyio.sleep(0.5)
    raise RuntimeError("a service that fails")


@asynccontextmanager
async def dying():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        yield
"""
