"""Listening sockets that Kahi binds for FastCGI programs, which get them as their stdin.

A socket is bound at the first start of a process of its program and shared by all of them. It stays
while any of them is up or about to be started again, so that no connection is refused over a
restart, and is closed once the last one is down for good.
"""

from __future__ import annotations

import errno
import logging
import socket
from dataclasses import dataclass, field

from kahi.config.values import parse_socket
from kahi.definition import SocketSettings
from kahi.errors import SpawnError
from kahi.lifecycle import State
from kahi.process import Process
from kahi.sockets import SocketRefused, UnixListener, listen_tcp, listen_unix

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Shared:
    settings: SocketSettings
    socket: socket.socket
    listener: UnixListener | None
    users: set[str] = field(default_factory=set[str])

    def close(self) -> None:
        if self.listener is not None:
            self.listener.close()
        else:
            self.socket.close()


class SharedSockets:
    """The sockets of all FastCGI programs, by program. Belongs to the event-loop thread."""

    def __init__(self) -> None:
        self._sockets: dict[str, _Shared] = {}

    def descriptor_for(self, process: Process) -> int | None:
        """The socket that ``process`` gets as stdin, bound now if need be; None when it has none.

        Raises:
            SpawnError: it can not be bound; not permanent when somebody else holds the address.
        """
        settings = process.definition.socket
        if settings is None:
            return None
        shared = self._sockets.get(process.program)
        if shared is None:
            shared = self._sockets[process.program] = _bind(settings)
            log.info("%s: listening on %s", process.program, settings.url)
        shared.users.add(process.name)
        return shared.socket.fileno()

    def process_changed(self, process: Process) -> None:
        """Close the socket of a program whose last process is down for good."""
        shared = self._sockets.get(process.program)
        if shared is None or process.name not in shared.users:
            return
        is_down = process.state in (State.STOPPED, State.FATAL, State.EXITED)
        if is_down and process.record.deadline is None:
            shared.users.discard(process.name)
            if not shared.users:
                del self._sockets[process.program]
                shared.close()
                log.info("%s: closed %s", process.program, shared.settings.url)

    def close(self) -> None:
        """Close all of them."""
        for shared in self._sockets.values():
            shared.close()
        self._sockets.clear()


def _bind(settings: SocketSettings) -> _Shared:
    place, port = parse_socket(settings.url)
    backlog = settings.backlog or socket.SOMAXCONN
    try:
        if port >= 0:
            shared = _Shared(settings, listen_tcp(place, port, backlog=backlog), None)
        else:
            listener = listen_unix(place, settings.mode, settings.owner, backlog=backlog, locked=False)
            shared = _Shared(settings, listener.socket, listener)
    except SocketRefused as error:
        raise SpawnError(
            "listen on", settings.url, error.errno, error.reason, permanent=error.errno != errno.EADDRINUSE
        ) from None
    # The program accepts on it as on any listening socket.
    shared.socket.setblocking(True)
    return shared
