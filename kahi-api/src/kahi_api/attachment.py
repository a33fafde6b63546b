"""Being attached to a process: its output as it comes, its changes of state, and nobody beside us.

The place is held by the connection: it is free again when the stream ends, however it does.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from kahi.errors import NoInput, NotRunning, ProcessError
from kahi.events import Event, ProcessStateEvent
from kahi.output import whole_characters
from kahi.process import Process
from kahi_api.context import ApiContext
from kahi_api.log_stream import PIECE, encode_output
from kahi_api.streams import ALIVE, BEGIN, encode_event

CHANGES: Final = 100
"""Changes of state that are kept for a reader that is behind."""


class AlreadyAttached(ProcessError):
    """Somebody else is attached to the process."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "somebody is attached already")


async def attached(process: Process, context: ApiContext) -> AsyncGenerator[bytes]:
    """Events ``stdout``, ``stderr`` and ``PROCESS_STATE_*`` from now on.

    The first step takes the place and gives nothing; the place is free when the generator is closed.

    Raises:
        NotRunning: there is nothing to be attached to.
        NoInput: the process takes no input.
        AlreadyAttached: the place is taken.
    """
    name = process.name
    if not process.pid:
        raise NotRunning(name)
    if process.definition.spawn.stdin == "null" or process.definition.socket is not None:
        raise NoInput(name, "takes no input")
    if name in context.attached:
        raise AlreadyAttached(name)
    context.attached.add(name)
    try:
        yield b""
        async with aclosing(_output(process, context)) as output:
            async for data in output:
                yield data
    finally:
        context.attached.discard(name)


async def _output(process: Process, context: ApiContext) -> AsyncGenerator[bytes]:
    supervisor = context.daemon.supervisor
    changes: deque[ProcessStateEvent] = deque(maxlen=CHANGES)
    streams = process.streams
    offsets = [stream.offset for stream in streams]
    with context.streams.wake() as wake:

        def changed(event: Event) -> None:
            if isinstance(event, ProcessStateEvent) and event.name == process.name:
                changes.append(event)
            wake.set()

        subscription = supervisor.events.subscribe(changed, "PROCESS_STATE", "PROCESS_GROUP_REMOVED")
        followers = [stream.follow(wake.set) for stream in streams]
        try:
            yield BEGIN
            while not wake.closing and supervisor.processes.get(process.name) is process:
                # What is told of an end comes behind what was printed before it.
                pending = list(changes)
                changes.clear()
                for number, stream in enumerate(streams):
                    while not wake.closing:
                        piece = await stream.read(offsets[number], PIECE)
                        if piece.missed:
                            yield encode_event(json.dumps({"bytes": piece.missed}), event="dropped")
                        data = whole_characters(piece.data)
                        offsets[number] = piece.offset - len(piece.data) + len(data)
                        if not data:
                            break
                        yield encode_output(data, event=stream.key.stream)
                for event in pending:
                    yield encode_event(json.dumps(event.payload()), event=event.type)
                if not changes and not await wake.wait():
                    yield ALIVE
        finally:
            subscription.close()
            for follower in followers:
                follower.close()
