"""The client: HTTP and server-sent events against a server that misbehaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.output import whole_characters
from kahi_api.client import ApiError, CannotConnect, Client, ConnectionLost
from kahi_api.client.sse import ServerEvent, events
from kahi_api.streams import encode_event

Serve = Callable[[bytes], Client]


@pytest.fixture
def serve(short_tmp: Path) -> Iterator[Serve]:
    """A server that answers one connection with given bytes, whatever was asked."""
    listener = socket.socket(socket.AF_UNIX)
    path = short_tmp / "s"
    listener.bind(str(path))
    listener.listen()
    threads: list[threading.Thread] = []

    def answer(data: bytes) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(data)

    def of(data: bytes) -> Client:
        thread = threading.Thread(target=answer, args=(data,))
        thread.start()
        threads.append(thread)
        return Client(str(path), timeout=5)

    yield of
    for thread in threads:
        thread.join()
    listener.close()


def test_nobody_there(short_tmp: Path) -> None:
    with pytest.raises(CannotConnect, match="is it running"):
        Client(str(short_tmp / "none")).processes()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnot",
    ],
)
def test_answers_that_break_off(serve: Serve, answer: bytes) -> None:
    with serve(answer) as client, pytest.raises(ConnectionLost):
        client.processes()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1;x=y\r\n]\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    ],
)
def test_whole_answers(serve: Serve, answer: bytes) -> None:
    with serve(answer) as client:
        assert client.processes() == []


def test_errors_of_the_daemon(serve: Serve) -> None:
    body = b'{"error": "no such process: x", "code": "NOT_FOUND"}'
    head = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serve(head + body) as client, pytest.raises(ApiError) as caught:
        client.process("x")
    assert (caught.value.status, caught.value.code, str(caught.value)) == (
        404,
        "NOT_FOUND",
        "no such process: x",
    )


lines = st.text().map(lambda text: text.encode("utf-8", "replace").decode().replace("\r", ""))


@given(st.lists(lines), st.integers(1, 7))
def test_events_survive_the_wire_in_any_pieces(texts: list[str], size: int) -> None:
    wire = b"".join(encode_event(text, event_id=number) for number, text in enumerate(texts))
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    assert list(events(pieces)) == [ServerEvent("message", text, str(n)) for n, text in enumerate(texts)]


@given(st.text(), st.integers(0, 200))
def test_cut_characters_wait_for_their_rest(text: str, cut: int) -> None:
    data = text.encode("utf-8", "replace")[:cut]
    whole = whole_characters(data)
    assert data.startswith(whole)
    assert len(data) - len(whole) < 4
    assert bool(whole) == bool(data)
