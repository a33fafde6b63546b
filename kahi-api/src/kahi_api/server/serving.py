"""The server: uvicorn's protocol on our sockets, inside the daemon's event loop.

uvicorn's own ``Server`` wakes ten times a second, installs signal handlers, exits the process when
a bind fails and waits for open streams without end, so only its protocol and configuration are
used.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from uvicorn.config import Config

from kahi_api import limits
from kahi_api.identity import Peer
from kahi_api.server.entrance import Entrance
from kahi_api.server.listener import Listener
from kahi_api.server.places import Place, Places
from kahi_api.server.protocol import Protocol, State
from kahi_api.streams import Streams


@asynccontextmanager
async def serving(
    app: Any, entrances: Sequence[Entrance], streams: Streams, connections: int = limits.CONNECTIONS
) -> AsyncGenerator[None]:
    """Serve an ASGI application until the context is left.

    Args:
        streams: ended when the end begins.
        connections: how many there may be.
    """
    config = _config(app)
    state = State()
    loop = asyncio.get_running_loop()
    places = Places(connections, limits.KEPT_FOR_UNIX)

    def protocol(peer: Peer, place: Place) -> Protocol:
        return Protocol(config, state, loop, peer, place)

    listeners = [Listener(each, places, protocol) for each in entrances]
    try:
        yield
    finally:
        for listener in listeners:
            listener.close()
        streams.close()
        open_connections = cast("set[Protocol]", state.connections)
        for connection in tuple(open_connections):
            connection.end()
        if state.tasks:
            # A copy: the tasks that end meanwhile leave the set.
            await asyncio.shield(asyncio.wait(set(state.tasks), timeout=limits.GRACE))
        for connection in tuple(open_connections):
            connection.transport.abort()


def _config(app: Any) -> Config:
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
        timeout_keep_alive=limits.KEEP_ALIVE,
    )
    config.load()
    # What clients do wrong is told to them, not to the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return config
