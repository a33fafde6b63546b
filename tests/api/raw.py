"""Speaking HTTP by hand, as clients that misbehave do."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PATIENCE = 20.0


def connect(place: Path | tuple[str, int]) -> socket.socket:
    """A connection to a Unix socket or a TCP address."""
    if isinstance(place, Path):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(str(place))
        return connection
    return socket.create_connection(place, PATIENCE)


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer, which says how long it is."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"closed after {data!r}")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(fields.get("content-length", "0"))
    while len(body) < length:
        body += connection.recv(65536)
    return int(first.split()[1]), fields, body


def exchange(place: Path | tuple[str, int], request: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes and read one answer, its body as JSON."""
    with connect(place) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request)
        status, fields, body = answer_of(connection)
    return status, fields, json.loads(body)


def request(
    method: str, target: str, body: bytes = b"", headers: Iterable[str] = ("Host: localhost",)
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end has closed, without waiting."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def get(place: Path | tuple[str, int], target: str) -> tuple[int, Any]:
    """Status and body of a GET."""
    status, _, body = exchange(place, request("GET", target))
    return status, body


def send(place: Path | tuple[str, int], method: str, target: str, body: object = None) -> tuple[int, Any]:
    """Status and body of a request with a JSON body, or with none."""
    data = b"" if body is None else json.dumps(body).encode()
    headers = ("Host: localhost", "Content-Type: application/json") if data else ("Host: localhost",)
    status, _, answer = exchange(place, request(method, target, data, headers))
    return status, answer


def post(place: Path | tuple[str, int], target: str, body: object = None) -> tuple[int, Any]:
    """Status and body of a POST."""
    return send(place, "POST", target, body)
