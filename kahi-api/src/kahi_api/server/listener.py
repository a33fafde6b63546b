"""Accepting connections, within bounds.

asyncio's own servers accept without end, and count a connection only once its TLS handshake is
done: a stranger could use up every descriptor, and with them the daemon's ability to spawn.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Final

from kahi.system import PeerIdentity, System
from kahi_api.identity import Peer
from kahi_api.limits import HANDSHAKE_TIME
from kahi_api.server.entrance import Entrance
from kahi_api.server.places import Place, Places

log = logging.getLogger(__name__)

AT_ONCE: Final = 64
"""Connections accepted before the event loop gets a turn."""

PAUSE: Final = 1.0
"""Seconds without accepting when the system refuses to give a connection: no descriptor is left."""

_FULL: Final = b'{"error":"too many connections","code":"UNAVAILABLE"}'
_FULL_ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_FULL), _FULL)
)

MakeProtocol = Callable[[Peer, Place], asyncio.Protocol]


class Listener:
    """Accepts the connections of one listening socket, which stays open when it ends."""

    def __init__(self, entrance: Entrance, places: Places, make_protocol: MakeProtocol) -> None:
        self._socket = entrance.socket
        self._admits = entrance.admits
        self._tls = entrance.tls
        self._places = places
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._refused: set[int] = set()
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Accept no more; connections go on, unless their handshake is not done."""
        self._loop.remove_reader(self._socket)
        if self._pause is not None:
            self._pause.cancel()
        for task in self._connecting:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("cannot accept connections: %s", error.strerror)
                self._loop.remove_reader(self._socket)
                self._pause = self._loop.call_later(PAUSE, self._go_on)
                return
            connection.setblocking(False)
            self._take_in(connection, address)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket, self._accept)

    def _take_in(self, connection: socket.socket, address: tuple[str, int] | str) -> None:
        peer = self._peer(connection, address)
        if peer is None:
            connection.close()
            return
        place = self._places.take(privileged=peer.trusted)
        if place is None:
            if self._tls is None:
                with contextlib.suppress(OSError):
                    connection.send(_FULL_ANSWER)
            connection.close()
            return
        task = self._loop.create_task(self._connect(connection, peer, place))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _peer(self, connection: socket.socket, address: tuple[str, int] | str) -> Peer | None:
        """Who connects; None when it is somebody who may not."""
        if connection.family != socket.AF_UNIX:
            return Peer(address=address[0])
        identity = System().peer_identity(connection)
        if self._admits is not None and (identity is None or not self._admits(identity)):
            self._report_refused(identity)
            return None
        if identity is None:
            return Peer(trusted=True)
        return Peer(uid=identity.uid, pid=identity.pid, trusted=True)

    def _report_refused(self, identity: PeerIdentity | None) -> None:
        uid = -1 if identity is None else identity.uid
        if uid not in self._refused and len(self._refused) < 100:
            self._refused.add(uid)
            who = "somebody whose user can not be told" if identity is None else f"uid {uid}"
            log.warning("refused %s at the control socket: not in allow_users or allow_groups", who)

    async def _connect(self, connection: socket.socket, peer: Peer, place: Place) -> None:
        limit = None if self._tls is None else HANDSHAKE_TIME
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._make_protocol(peer, place),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=limit,
                ssl_shutdown_timeout=limit,
            )
        except OSError:
            # The handshake failed, or took too long.
            place.leave()
        except asyncio.CancelledError:
            place.leave()
            connection.close()
            raise
