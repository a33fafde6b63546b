"""A FastCGI program, as small as the protocol allows: accepts on its stdin, tells its pid."""

from __future__ import annotations

import os
import socket
import struct

HEADER = struct.Struct("!BBHHBx")
BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def read_record(connection: socket.socket) -> tuple[int, int, bytes]:
    """Type, request id and content of one record."""
    _, kind, request, length, padding = HEADER.unpack(read_exactly(connection, HEADER.size))
    content = read_exactly(connection, length)
    read_exactly(connection, padding)
    return kind, request, content


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """Exactly ``count`` bytes."""
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def record(kind: int, request: int, content: bytes) -> bytes:
    """One record."""
    return HEADER.pack(1, kind, request, len(content), 0) + content


def main() -> None:
    """Answer one request after the other."""
    listener = socket.socket(fileno=os.dup(0))
    while True:
        connection, _ = listener.accept()
        with connection:
            request = 1
            while True:
                kind, request, content = read_record(connection)
                if kind == STDIN and not content:
                    break
            body = f"Content-Type: text/plain\r\n\r\n{os.getpid()}".encode()
            end = record(END, request, struct.pack("!LB3x", 0, 0))
            connection.sendall(record(STDOUT, request, body) + record(STDOUT, request, b"") + end)


if __name__ == "__main__":
    main()
