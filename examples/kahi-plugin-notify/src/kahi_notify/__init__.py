"""Runs a command whenever a process gives up, or ends as it should not; its input says what happened."""

from contextlib import asynccontextmanager

import anyio
from pydantic import BaseModel, Field

from kahi.hookspecs import ConfigSection, Service, hookimpl


class Settings(BaseModel):
    """The table ``[notify]``."""

    command: list[str] = Field(["logger", "-t", "kahi"], min_length=1)


@hookimpl
def kahi_config_sections():
    return [ConfigSection("notify", Settings)]


@hookimpl
def kahi_services(ctx):
    # The queue is there before the first process is, so nothing that fails at the start is missed.
    queue = ctx.events.queue("process_state_fatal", "process_state_exited", owner="notify")
    return [Service("notifier", lambda: notifying(ctx, queue))]


@asynccontextmanager
async def notifying(ctx, queue):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notify, ctx, queue)
        yield
        queue.close()  # What waits in it is still told.


async def notify(ctx, queue):
    async for batch in queue:
        for event in batch:
            if event.state == "FATAL" or not event.expected:
                why = event.spawn_error or f"exit status {event.exitstatus}"
                line = f"{event.name} is {event.state}: {why}\n"
                await anyio.run_process(ctx.config.sections["notify"].command, input=line.encode())
