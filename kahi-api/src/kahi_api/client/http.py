"""As much of HTTP/1.1 as talking to one well-behaved server takes."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator, Mapping
from io import BufferedReader

from kahi_api.client.address import Address
from kahi_api.client.errors import ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_HEAD: Final = 64 * 1024

SILENCE: Final = 60.0
"""Seconds without a byte after which a stream counts as broken: the server's heartbeat is 15 s."""


class Response:
    """A whole answer; header names in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    """A connection to the daemon, opened when it is needed and kept for the next request.

    Args:
        headers: sent with every request.
        timeout: seconds to wait for an answer, None without end.
    """

    def __init__(self, address: Address, headers: Mapping[str, str], timeout: float | None = None) -> None:
        self._address = address
        self._headers = {"Host": address.host, **headers}
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    def request(self, method: str, target: str, body: bytes = b"") -> Response:
        """Send a request and read the whole answer.

        A GET that meets a kept connection which the daemon closes at that moment is sent once more.

        Raises:
            CannotConnect: nobody is there.
            ConnectionLost: the answer did not come to its end.
        """
        was_kept = self._socket is not None
        try:
            try:
                reader = self._send(method, target, body, {})
                status, fields = _read_head(reader)
            except (ConnectionResetError, BrokenPipeError):
                if not was_kept or method != "GET":
                    raise
                self.close()
                reader = self._send(method, target, body, {})
                status, fields = _read_head(reader)
            data = b"".join(_body(reader, fields, method, status))
        except (OSError, ValueError) as error:
            self.close()
            raise self._lost(error) from None
        except BaseException:
            # What is left of an answer must not be taken for the next one.
            self.close()
            raise
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Response(status, fields, data)

    def stream(
        self, target: str, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], Iterator[bytes]]:
        """Send a GET and return status, headers and the body as it comes. Close when done with it.

        Raises:
            CannotConnect: nobody is there.
            ConnectionLost: raised by the iterator too, when the answer breaks off.
        """
        try:
            reader = self._send("GET", target, b"", headers)
            status, fields = _read_head(reader)
        except (OSError, ValueError) as error:
            self.close()
            raise self._lost(error) from None
        return status, fields, self._pieces(_body(reader, fields, "GET", status))

    def interrupt(self) -> None:
        """Have a read under way in another thread end."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._reader is not None:
            self._reader.close()
        if self._socket is not None:
            self._socket.close()
        self._reader = self._socket = None

    def _send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> BufferedReader:
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in (*self._headers.items(), *headers.items())]
        if body:
            lines += ["Content-Type: application/json"]
        if body or method != "GET":
            lines += [f"Content-Length: {len(body)}"]
        message = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
        if self._socket is not None and _is_readable(self._socket):
            # Nothing can have been said on a connection that rests: the daemon has closed it.
            self.close()
        if self._socket is None or self._reader is None:
            self._socket = self._address.open(self._timeout)
            self._reader = self._socket.makefile("rb")
        self._socket.sendall(message)
        return self._reader

    def _pieces(self, body: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from body
        except (OSError, ValueError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> ConnectionLost:
        if isinstance(error, TimeoutError):
            return ConnectionLost(f"the daemon at {self._address} does not answer")
        reason = getattr(error, "strerror", None) or str(error)
        return ConnectionLost(f"the daemon at {self._address} went away: {reason}")


def _is_readable(connection: socket.socket) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))


def _read_head(reader: BufferedReader) -> tuple[int, dict[str, str]]:
    while True:
        first = reader.readline(MAX_HEAD)
        if not first:
            raise ConnectionLost("the daemon closed the connection")
        parts = first.decode("latin-1").split(None, 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1."):
            raise ConnectionLost("what answers there does not speak HTTP")
        status = int(parts[1])
        fields: dict[str, str] = {}
        while line := reader.readline(MAX_HEAD).strip():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.strip().lower()] = value.strip()
        if status >= 200:
            return status, fields


def _body(reader: BufferedReader, fields: Mapping[str, str], method: str, status: int) -> Iterator[bytes]:
    if method == "HEAD" or status in (204, 304):
        return
    if fields.get("transfer-encoding", "").lower() == "chunked":
        yield from _chunks(reader)
    elif "content-length" in fields:
        yield _exactly(reader, int(fields["content-length"]))
    else:
        while data := reader.read1(65536):
            yield data


def _chunks(reader: BufferedReader) -> Iterator[bytes]:
    while True:
        size = int(reader.readline(MAX_HEAD).partition(b";")[0] or b"-1", 16)
        if size < 0:
            raise ConnectionLost("the daemon closed the connection")
        if size == 0:
            while reader.readline(MAX_HEAD).strip():
                pass
            return
        yield _exactly(reader, size)
        reader.readline(MAX_HEAD)


def _exactly(reader: BufferedReader, count: int) -> bytes:
    data = reader.read(count)
    if len(data) < count:
        raise ConnectionLost("the daemon closed the connection in the middle of an answer")
    return data
