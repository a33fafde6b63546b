"""One request over a Unix socket, as small as a client can be."""

from __future__ import annotations

import socket
from pathlib import Path

PATIENCE = 60.0


def ask(path: Path, request: bytes, patience: float = PATIENCE) -> bytes:
    """The whole answer, head and body; the server closes, or has said how long it is.

    Raises:
        OSError: nobody answers.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(patience)
        client.connect(str(path))
        client.sendall(request)
        answer = bytearray()
        size = -1
        while size < 0 or len(answer) < size:
            piece = client.recv(256 * 1024)
            if not piece:
                break
            answer += piece
            if size < 0:
                size = _size(answer)
        return bytes(answer)


def is_well(path: Path, request: bytes) -> bool:
    """Whether the answer is a good one."""
    try:
        return b" 200 " in ask(path, request)[:64]
    except OSError:
        return False


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n".encode()


def post(path: str, kind: str, body: bytes) -> bytes:
    """A POST request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _size(answer: bytearray) -> int:
    """Of the whole answer, once its head is there; -1 before, and when it does not say."""
    head, separator, _ = bytes(answer[:4096]).partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n") if separator else ():
        if line.startswith(b"content-length:"):
            return len(head) + len(separator) + int(line.split(b":")[1])
    return -1
