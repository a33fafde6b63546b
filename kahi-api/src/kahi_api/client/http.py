"""As much of HTTP/1.1 as talking to one well-behaved server takes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from typing import Final

from kahi_api.client.errors import CannotConnect, ConnectionLost

MAX_HEAD: Final = 64 * 1024
REASONS: Final = {
    "ConnectionRefusedError": "is it running?",
    "FileNotFoundError": "is it running?",
    "PermissionError": "permission denied",
    "TimeoutError": "it does not answer",
}


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A connection to the daemon, opened when it is needed and kept for the next request.

    Args:
        path: of its Unix socket.
        timeout: seconds to wait for an answer, None without end.
    """

    def __init__(self, path: str, timeout: float | None = None) -> None:
        self.path = path
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    def request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request and read the whole answer.

        Raises:
            CannotConnect: nobody is there.
            ConnectionLost: the answer did not come to its end.
        """
        reader = self._send(method, target, body, headers or {})
        try:
            status, fields = _read_head(reader)
            data = b"".join(_body(reader, fields, method, status))
        except (OSError, ValueError) as error:
            self.close()
            raise ConnectionLost(f"the daemon at {self.path} went away: {error}") from None
        except ConnectionLost:
            self.close()
            raise
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Response(status, fields, data)

    def stream(
        self, target: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], Iterator[bytes]]:
        """Send a GET and return status, headers and the body as it comes. Close when done with it.

        Raises:
            CannotConnect: nobody is there.
            ConnectionLost: raised by the iterator when the answer breaks off.
        """
        reader = self._send("GET", target, b"", headers or {})
        try:
            status, fields = _read_head(reader)
        except (OSError, ValueError) as error:
            self.close()
            raise ConnectionLost(f"the daemon at {self.path} went away: {error}") from None
        return status, fields, _body(reader, fields, "GET", status)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._reader is not None:
            self._reader.close()
        if self._socket is not None:
            self._socket.close()
        self._reader = self._socket = None

    def _send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> BufferedReader:
        lines = [f"{method} {target} HTTP/1.1", "Host: kahi"]
        if body:
            lines += ["Content-Type: application/json"]
        if body or method != "GET":
            lines += [f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        message = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        if self._socket is not None:
            # The daemon may have closed the kept connection meanwhile.
            with contextlib.suppress(OSError):
                self._socket.sendall(message)
                if self._reader is not None and self._reader.peek(1):
                    return self._reader
            self.close()
        self._connect()
        assert self._socket is not None
        assert self._reader is not None
        try:
            self._socket.sendall(message)
        except OSError as error:
            self.close()
            raise ConnectionLost(f"the daemon at {self.path} went away: {error}") from None
        return self._reader

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self._timeout)
        try:
            connection.connect(self.path)
        except OSError as error:
            connection.close()
            reason = REASONS.get(type(error).__name__, error.strerror or str(error))
            raise CannotConnect(self.path, reason) from None
        self._socket = connection
        self._reader = connection.makefile("rb")


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
