"""Clients that follow a daemon through a chaos run, and notice what is missing or doubled."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from kahi_api.client import ApiError, Client, ClientError
from kahi_api.client.following import happened, log_piece
from kahi_api.client.objects import Event, LogPiece
from kahi_api.client.sse import events as parse_events
from tests.api.raw import connect, request

BOUND = 10.0
"""Seconds within which the API has to answer, on a machine that is as busy as this."""

READS_FOR = 0.3
"""Seconds for which a reader that was stalled reads."""


class Serials:
    """Events that came, one after the other: each serial follows the one before it."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.count = 0
        self.missed = 0
        self.problems: list[str] = []

    def take(self, event: Event) -> None:
        """The next one."""
        if event.type == "dropped":
            missed = int(event.data.get("events", 0))
            self.missed += missed
            self.last = None
            return
        if event.type == "reset":
            self.problems.append(f"a reset after event {self.last}")
        elif self.last is not None and event.serial != self.last + 1:
            self.problems.append(f"event {event.serial} ({event.type}) came after {self.last}")
        self.last = event.serial
        self.count += 1


class Offsets:
    """Pieces of a log that came, one after the other: each begins where the one before it ended."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.bytes = 0
        self.missed = 0
        self.problems: list[str] = []

    def take(self, piece: LogPiece) -> None:
        """The next one."""
        if piece.is_reset:
            self.problems.append(f"a reset after offset {self.last}")
        elif self.last is not None and piece.offset - len(piece.data) - piece.missed != self.last:
            self.problems.append(
                f"{len(piece.data)} bytes up to {piece.offset} came after {self.last}, {piece.missed} missed"
            )
        self.last = piece.offset
        self.bytes += len(piece.data)
        self.missed += piece.missed


class Reader(threading.Thread, ABC):
    """Follows a stream, and goes on behind what it knows when it is cut off."""

    def __init__(self, address: str, name: str) -> None:
        super().__init__(daemon=True, name=name)
        self._address = address
        self._client: Client | None = None
        self._is_over = False

    @abstractmethod
    def follow(self, client: Client) -> None:
        """Read until the stream ends."""

    def run(self) -> None:
        """Read."""
        while not self._is_over:
            with contextlib.suppress(ClientError), Client(self._address) as client:
                self._client = client
                self.follow(client)
            time.sleep(0.05)

    def cut(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()

    def end(self) -> None:
        """Read no more."""
        self._is_over = True
        self.cut()
        self.join(BOUND)


class EventReader(Reader):
    """Reads all events."""

    def __init__(self, address: str) -> None:
        super().__init__(address, "events")
        self.serials = Serials()
        self.start()

    def follow(self, client: Client) -> None:
        """Read until the stream ends."""
        for event in client.follow_events(since=self.serials.last):
            self.serials.take(event)


class LogReader(Reader):
    """Follows the log of a process."""

    def __init__(self, address: str, process: str) -> None:
        super().__init__(address, f"log of {process}")
        self.process = process
        self.offsets = Offsets()
        self.start()

    def follow(self, client: Client) -> None:
        """Read until the stream ends."""
        if self.offsets.last is None:
            self.offsets.last = client.log(self.process, offset=-1, length=1).offset
        for piece in client.follow_log(self.process, offset=self.offsets.last):
            self.offsets.take(piece)


class StalledReader:
    """Opens a stream and does not read it, until it is released."""

    def __init__(self, path: Path, target: str) -> None:
        self.target = target
        self._connection = connect(path)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._connection.sendall(request("GET", target))

    def release(self) -> list[str]:
        """Read what is there, and close; what is wrong with it."""
        self._connection.settimeout(READS_FOR)
        serials, offsets = Serials(), Offsets()
        try:
            for event in parse_events(_chunks(self._connection)):
                if event is None:
                    continue
                if self.target.endswith("/events/stream"):
                    serials.take(happened(event))
                elif self.target.endswith("/log/stdout/stream"):
                    offsets.take(log_piece(event, offsets.last or 0))
        finally:
            self._connection.close()
        return [f"stalled reader of {self.target}: {each}" for each in (*serials.problems, *offsets.problems)]


def _chunks(connection: socket.socket) -> Iterator[bytes]:
    """The body of a chunked answer, as far as it comes in a moment."""
    data = b""
    deadline = time.monotonic() + READS_FOR
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline and (piece := connection.recv(65536)):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length or len(rest) < length:
            return
        yield rest[:length]
        rest = rest[length + 2 :]


class Prober(threading.Thread):
    """Asks for the processes again and again, and notes how long the answer takes."""

    def __init__(self, address: str, pause: float = 0.2) -> None:
        super().__init__(daemon=True, name="prober")
        self.latencies: list[float] = []
        self.problems: list[str] = []
        self.pids: set[int] = set()
        self._address = address
        self._pause = pause
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        """Ask."""
        with Client(self._address, timeout=BOUND) as client:
            while not self._over.wait(self._pause):
                begin = time.monotonic()
                try:
                    client.raw_processes()
                    if len(self.latencies) % 25 == 0:
                        self.pids.add(client.version().pid)
                except ApiError as error:
                    self.problems.append(f"the API answered {error.status} {error}")
                except ClientError as error:
                    if not self._over.is_set():
                        self.problems.append(f"the API did not answer: {error}")
                self.latencies.append(time.monotonic() - begin)

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        self.join(BOUND)
