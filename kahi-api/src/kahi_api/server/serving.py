"""The server: uvicorn's protocol on our sockets, inside the daemon's event loop.

uvicorn's own ``Server`` wakes ten times a second, installs signal handlers, exits the process when
a bind fails and waits for open streams without end, so only its protocol and configuration are
used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from uvicorn.config import Config

from kahi_api.server.protocol import Protocol, State

KEEP_ALIVE: Final = 75
"""Seconds an idle connection stays open."""

HEAD_LIMIT: Final = 32 * 1024
"""Bytes of a request's head."""

GRACE: Final = 1.0
"""Seconds that requests under way are given when the server ends."""


@asynccontextmanager
async def serving(app: Any, sockets: Sequence[socket.socket], closing: asyncio.Event) -> AsyncGenerator[None]:
    """Serve an ASGI application until the context is left.

    Args:
        sockets: bound and listening; they stay open.
        closing: set when the end begins, so that streams end in order.
    """
    config = Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        h11_max_incomplete_event_size=HEAD_LIMIT,
    )
    config.load()
    state = State()
    loop = asyncio.get_running_loop()

    def protocol() -> Protocol:
        return Protocol(config, state, {}, loop)

    servers = [
        await (
            loop.create_unix_server(protocol, sock=each)
            if each.family == socket.AF_UNIX
            else loop.create_server(protocol, sock=each)
        )
        for each in sockets
    ]
    try:
        yield
    finally:
        closing.set()
        for server in servers:
            server.close()
        for connection in tuple(state.connections):
            connection.shutdown()  # type: ignore[union-attr]
        if state.tasks:
            await asyncio.shield(asyncio.wait(state.tasks, timeout=GRACE))
        for connection in tuple(state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
