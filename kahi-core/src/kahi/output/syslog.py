"""Sending lines to syslog, on a thread of its own: names are looked up there and servers waited for."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from kahi.system import System

log = logging.getLogger(__name__)

FACILITIES: Final = {
    name: number
    for number, name in enumerate(
        ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp")
    )
} | {f"local{number}": 16 + number for number in range(8)}
PRIORITIES: Final = {
    name: number
    for number, name in enumerate(("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"))
}

QUEUE_LIMIT: Final = 1024 * 1024
"""Bytes of messages that wait for a server that is slow or gone."""

PATIENCE: Final = 5.0
"""Seconds a connection or a message may take."""

FIRST_DELAY: Final = 0.5
LAST_DELAY: Final = 30.0

MESSAGE_LIMIT: Final = 8 * 1024
"""Bytes of one message; a longer line becomes several."""


@dataclass(frozen=True, slots=True)
class SyslogTarget:
    """Where messages go and what they are marked with.

    Args:
        kind: ``unix`` for a socket at ``host``, else the protocol to ``host`` and ``port``.
    """

    kind: Literal["unix", "udp", "tcp"] = "unix"
    host: str = "/dev/log"
    port: int = 514
    facility: str = "local0"
    priority: str = "info"

    def __str__(self) -> str:
        return self.host if self.kind == "unix" else f"{self.kind}://{self.host}:{self.port}"


class SyslogSender:
    """Sends messages in order. What can not be sent waits, up to a bound; the rest is counted.

    Args:
        system: tells the time in the messages, and names the thread.
    """

    def __init__(self, target: SyslogTarget, system: System) -> None:
        self._target = target
        self._system = system
        self._mark = f"<{FACILITIES[target.facility] * 8 + PRIORITIES[target.priority]}>"
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._changed = threading.Condition()
        self._closing = False
        self._hurried = False
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._failing = False
        self._told = 0
        self.dropped = 0
        """Messages that were never sent."""

    def send(self, tag: str, lines: list[bytes]) -> None:
        """Send each line as one message; never waits. From any thread."""
        now = time.strftime("%b %e %H:%M:%S", time.localtime(self._system.wall_clock()))
        host = "" if self._target.kind == "unix" else f" {socket.gethostname()}"
        head = f"{self._mark}{now}{host} {tag}: ".encode()
        with self._changed:
            for line in lines:
                if self._queued >= QUEUE_LIMIT or self._closing:
                    self.dropped += 1
                    continue
                message = head + line
                self._queue.append(message)
                self._queued += len(message)
            self._changed.notify()
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="kahi-syslog", daemon=True)
                self._thread.start()

    def close(self, limit: float) -> None:
        """Send what waits, and wait at most ``limit`` seconds for that."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(limit)
        with self._changed:
            self._hurried = True
            self._changed.notify()
            self.dropped += len(self._queue)
            if self.dropped > self._told:
                log.error("syslog %s: %d messages were dropped", self._target, self.dropped)

    def _run(self) -> None:
        self._system.set_name("kahi-syslog")
        delay = FIRST_DELAY
        while (message := self._next()) is not None:
            try:
                self._transmit(message)
            except OSError as error:
                self._disconnect()
                if not self._failing:
                    self._failing = True
                    log.error("syslog %s: %s; messages wait", self._target, error.strerror or error)
                with self._changed:
                    self._changed.wait_for(lambda: self._hurried, delay)
                delay = min(delay * 2, LAST_DELAY)
            else:
                self._sent(message)
                delay = FIRST_DELAY
        self._disconnect()

    def _next(self) -> bytes | None:
        """The message that is to be sent now, None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            return self._queue[0] if self._queue and not self._hurried else None

    def _sent(self, message: bytes) -> None:
        with self._changed:
            self._queue.popleft()
            self._queued -= len(message)
            if not self._failing and (self.dropped == self._told or self._queue):
                return
            self._failing = False
            self._told = self.dropped
        log.warning("syslog %s takes messages, %d were dropped so far", self._target, self._told)

    def _transmit(self, message: bytes) -> None:
        connection = self._socket
        if connection is not None:
            try:
                # What is sent into a connection that the server has closed is lost without an error.
                if not _is_closed(connection):
                    _send(connection, message)
                    return
            except OSError:
                # The server was restarted, most likely.
                pass
            self._disconnect()
        self._socket = self._connect()
        _send(self._socket, message)

    def _connect(self) -> socket.socket:
        target = self._target
        if target.kind == "tcp":
            return socket.create_connection((target.host, target.port), PATIENCE)
        if target.kind == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(
                target.host, target.port, type=socket.SOCK_DGRAM
            )[0]
            return _connected(family, kind, address, protocol)
        try:
            return _connected(socket.AF_UNIX, socket.SOCK_DGRAM, target.host)
        except OSError:
            return _connected(socket.AF_UNIX, socket.SOCK_STREAM, target.host)

    def _disconnect(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


def _connected(family: int, kind: int, address: object, protocol: int = 0) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(address)  # type: ignore[arg-type]
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, message: bytes) -> None:
    if connection.type == socket.SOCK_STREAM:
        connection.sendall(message + b"\n")
    else:
        connection.send(message)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed a stream; it never says anything else on it."""
    if connection.type != socket.SOCK_STREAM:
        return False
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))
