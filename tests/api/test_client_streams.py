"""The client: addresses, authentication, kept connections, and streams that break off."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kahi_api.client import ApiError, BadAddress, CannotConnect, Client, ClientError, ConnectionLost, LogPiece
from kahi_api.client.address import TcpAddress, UnixAddress, parse_address
from kahi_api.client.following import log_piece
from kahi_api.client.sse import ServerEvent, events
from tests.e2e.test_api_tcp import certificate
from tests.support import eventually


class Script:
    """A server that answers one request after another as it is told, and keeps what was asked.

    Args:
        answers: for each request what is sent; ``CLOSE`` behind it closes the connection, ``HOLD``
            keeps it open without another word.
    """

    CLOSE = b"CLOSE"
    HOLD = b"HOLD"

    def __init__(self, listener: socket.socket, answers: list[tuple[bytes, bytes]]) -> None:
        self.asked: list[str] = []
        self.connections = 0
        self._listener = listener
        self._answers = iter(answers)
        self._held: list[socket.socket] = []
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if not self._answer(connection) or self._closed:
            connection.close()
        else:
            self._held.append(connection)

    def _answer(self, connection: socket.socket) -> bool:
        """Answer what is asked; returns whether the connection is to be held open."""
        # Whoever asked may be gone.
        with contextlib.suppress(OSError):
            while asked := self._request(connection):
                self.asked.append(asked)
                answer, then = next(self._answers)
                connection.sendall(answer)
                if then in (self.HOLD, self.CLOSE):
                    return then == self.HOLD
        return False

    @staticmethod
    def _request(connection: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return ""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.partition(b":")[2]):
                    body += connection.recv(65536)
        return (head + b"\r\n\r\n" + body).decode()

    def close(self) -> None:
        """No more connections."""
        self._closed = True
        self._listener.close()
        for connection in self._held:
            connection.close()


def whole(body: object, status: str = "200 OK", extra: str = "") -> bytes:
    """An answer with JSON."""
    data = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{extra}\r\n".encode() + data


def stream(*blocks: str) -> bytes:
    """The beginning of an endless answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return head + "".join(f"{block}\n\n" for block in blocks).encode()


VERSION = whole({"version": "1", "pid": 7})

Serve = Callable[..., tuple[Script, str]]


@pytest.fixture
def serve(short_tmp: Path) -> Iterator[Serve]:
    """Serves a script on a Unix socket; gives the script and the address."""
    scripts: list[Script] = []

    def of(*answers: tuple[bytes, bytes]) -> tuple[Script, str]:
        path = str(short_tmp / "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        scripts.append(Script(listener, list(answers)))
        return scripts[-1], path

    yield of
    for script in scripts:
        script.close()


KEEP = b""


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("http://localhost:80", "localhost", 80),
        ("http://localhost", "localhost", 9876),
        ("http://[::1]:8080/", "::1", 8080),
        ("http://[::1]", "::1", 9876),
        ("https://kahi.example:443", "kahi.example", 443),
    ],
)
def test_tcp_addresses(text: str, name: str, port: int) -> None:
    address = parse_address(text)
    assert isinstance(address, TcpAddress)
    assert (address.name, address.port) == (name, port)
    assert str(address).startswith("https://") == text.startswith("https://")


def test_paths_are_addresses() -> None:
    for text in ("/run/kahi.sock", "unix:///run/kahi.sock"):
        address = parse_address(text)
        assert isinstance(address, UnixAddress)
        assert address.path == "/run/kahi.sock"


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        "http://:80",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:port",
        "http://[::1",
        "ftp://h:1",
        "http://h:80/kahi",
        "http://h:٣",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


def test_basic_authentication_and_host_over_tcp() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    script = Script(
        listener, [(whole([]), KEEP), (whole({"error": "no", "code": "UNAUTHORIZED"}, "401 No"), KEEP)]
    )
    with Client(f"http://127.0.0.1:{port}", username="ü", password="a:\udcff", timeout=5) as client:
        assert client.processes() == []
        with pytest.raises(ApiError) as caught:
            client.processes()
    assert caught.value.code == "UNAUTHORIZED"
    assert f"Host: 127.0.0.1:{port}\r\n" in script.asked[0]
    token = base64.b64encode("ü:a:".encode() + b"\xff").decode()
    assert f"Authorization: Basic {token}\r\n" in script.asked[0]
    assert script.connections == 1
    script.close()


def test_a_host_that_cannot_be_looked_up() -> None:
    with pytest.raises(CannotConnect, match=r"a\.\.b:9876 \(this is no name of a host\)"):
        Client("http://a..b").health()


def test_nobody_listens_on_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CannotConnect, match=rf"127\.0\.0\.1:{port} \(is it running\?\)"):
        Client(f"http://127.0.0.1:{port}").health()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_tls_trusts_only_what_it_is_told(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    plain = socket.create_server(("127.0.0.1", 0))
    port = plain.getsockname()[1]
    listener = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=True)
    trusting = ssl.create_default_context(cafile=str(cert))
    script: Script | None = None
    try:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                listener.accept()

        refusing = threading.Thread(target=refuse)
        refusing.start()
        with pytest.raises(CannotConnect, match="certificate is not trusted"):
            Client(f"https://localhost:{port}", timeout=5).health()
        refusing.join()
        script = Script(listener, [(whole({"status": "ok"}), KEEP), (whole([]), KEEP)])
        with Client(f"https://localhost:{port}", timeout=5, tls=trusting) as client:
            assert client.health() == "ok"
            assert client.processes() == []
    finally:
        if script is not None:
            script.close()
        listener.close()


def test_a_kept_connection_is_used_again_and_replaced_when_it_was_closed(serve: Serve) -> None:
    script, path = serve((whole([]), KEEP), (whole([]), Script.CLOSE), (whole([]), KEEP))
    with Client(path, timeout=5) as client:
        for _ in range(3):
            client.processes()
    assert script.connections == 2


def test_a_daemon_that_does_not_answer(serve: Serve) -> None:
    _, path = serve((b"HTTP/1.1 200 OK\r\n", Script.HOLD))
    with Client(path, timeout=0.2) as client, pytest.raises(ConnectionLost, match="does not answer"):
        client.processes()


def test_names_are_quoted_in_paths(serve: Serve) -> None:
    script, path = serve(*[(whole({}, "404 No"), KEEP)] * 4)
    with Client(path, timeout=5) as client:
        for name in ("web", "ä b", "a/../b?c", "\udcff"):
            with pytest.raises(ApiError):
                client.process(name)
    assert [asked.split()[1].rpartition("/")[2] for asked in script.asked] == [
        "web",
        "%C3%A4%20b",
        "a%2F..%2Fb%3Fc",
        "%FF",
    ]


def test_following_a_log_goes_on_where_it_broke_off(serve: Serve) -> None:
    script, path = serve(
        (VERSION, KEEP),
        (stream(": stream", "id: 6\ndata: one\ndata: ", "id: 8\ndata: tw"), Script.CLOSE),
        (whole({"error": "x", "code": "SHUTTING_DOWN"}, "503 No"), KEEP),
        (VERSION, Script.CLOSE),
        (stream(": stream", "id: 10\ndata: o\ndata: "), Script.CLOSE),
    )
    problems: list[ClientError] = []
    client = Client(path, timeout=5)
    found: list[LogPiece] = []
    for piece in client.follow_log("web", offset=2, waiting=problems.append):
        found.append(piece)
        if len(found) == 3:
            client.close()
    assert [(piece.data, piece.offset) for piece in found] == [(b"one\n", 6), (b"tw", 8), (b"o\n", 10)]
    ids = [line for asked in script.asked for line in asked.splitlines() if line.startswith("Last-Event-ID")]
    assert ids == ["Last-Event-ID: 2", "Last-Event-ID: 8"]
    assert len(problems) == 1


def test_another_daemon_that_keeps_logs_in_memory_is_read_from_its_beginning(serve: Serve) -> None:
    process = {
        "name": "web",
        "group": "web",
        "state": "RUNNING",
        "statecode": 20,
        "pid": 1,
        "uptime": 1,
        "description": "",
        "exitstatus": 0,
    }
    script, path = serve(
        (VERSION, KEEP),
        (stream("id: 8\ndata: old"), Script.CLOSE),
        (whole({"version": "1", "pid": 8}), KEEP),
        (whole({**process, "stdout_logfile": ""}), KEEP),
        (stream("id: 3\ndata: new"), Script.CLOSE),
        # The same daemon, after an interruption of the connection alone.
        (whole({"version": "1", "pid": 8}), KEEP),
        (stream("id: 4\ndata: more"), Script.CLOSE),
        (whole({"version": "1", "pid": 9}), KEEP),
        (whole({**process, "stdout_logfile": "/dev/stdout"}), KEEP),
        (stream("id: 5\ndata: again"), Script.CLOSE),
        (whole({"version": "1", "pid": 10}), KEEP),
        (whole({**process, "stdout_logfile": "/var/log/web"}), KEEP),
        (stream("id: 9\ndata: file"), Script.CLOSE),
    )
    client = Client(path, timeout=5)
    found: list[bytes] = []
    for piece in client.follow_log("web", offset=5, waiting=lambda _: None):
        found.append(piece.data)
        if piece.data == b"file":
            client.close()
    assert found == [b"old", b"new", b"more", b"again", b"file"]
    ids = [line for asked in script.asked for line in asked.splitlines() if line.startswith("Last-Event-ID")]
    assert [line.rpartition(" ")[2] for line in ids] == ["5", "0", "3", "0", "5"]


@pytest.mark.parametrize(("redirected", "resumed"), [(True, "3"), (False, "0")])
def test_stderr_that_goes_where_stdout_goes_is_in_its_file(
    serve: Serve, redirected: bool, resumed: str
) -> None:
    process = dict.fromkeys(("group", "state", "description"), "x") | dict.fromkeys(
        ("statecode", "pid", "uptime", "exitstatus"), 0
    )
    member = {"name": "web", "redirect_stderr": redirected}
    script, path = serve(
        (VERSION, KEEP),
        (stream("id: 3\ndata: old"), Script.CLOSE),
        (whole({"version": "1", "pid": 8}), KEEP),
        (whole({**process, "name": "web", "stdout_logfile": "/var/log/web"}), KEEP),
        (whole({"groups": [{"processes": [member]}]}), KEEP),
        (stream("id: 9\ndata: new"), Script.CLOSE),
    )
    client = Client(path, timeout=5)
    for piece in client.follow_log("web", "stderr", offset=0, waiting=lambda _: None):
        if piece.data == b"new":
            client.close()
    assert f"Last-Event-ID: {resumed}\r\n" in script.asked[-1]


def test_without_waiting_a_broken_stream_is_an_error(serve: Serve) -> None:
    _, path = serve((stream("id: 1\ndata: a"), Script.CLOSE))
    with Client(path, timeout=5) as client:
        pieces = client.follow_log("web", offset=0)
        assert next(pieces).data == b"a"
        with pytest.raises(ConnectionLost):
            next(pieces)


def test_an_error_of_the_daemon_is_not_waited_over(serve: Serve) -> None:
    _, path = serve(
        (VERSION, KEEP), (whole({"error": "no such process: web", "code": "NOT_FOUND"}, "404 No"), KEEP)
    )
    with Client(path, timeout=5) as client, pytest.raises(ApiError, match="no such process"):
        next(client.follow_log("web", offset=0, waiting=lambda _: None))


def test_nobody_there_at_the_beginning_is_not_waited_for(short_tmp: Path) -> None:
    with pytest.raises(CannotConnect):
        next(Client(str(short_tmp / "none")).follow_events(waiting=lambda _: None))


def test_closing_ends_what_another_thread_follows(serve: Serve) -> None:
    _, path = serve((stream("event: CONFIG_RELOADED\nid: 1\ndata: {}"), Script.HOLD))
    client = Client(path, timeout=5)
    found: list[str] = []

    def follow() -> None:
        found.extend(event.type for event in client.follow_events(waiting=lambda _: None))
        found.append("ended")

    thread = threading.Thread(target=follow)
    thread.start()
    eventually(lambda: found, "the first event")
    begin = time.monotonic()
    client.close()
    thread.join(10)
    assert found == ["CONFIG_RELOADED", "ended"]
    assert time.monotonic() - begin < 5


def test_attaching_fails_before_anything_is_iterated(serve: Serve) -> None:
    _, path = serve(
        (whole({"error": "web: already attached", "code": "CONFLICT"}, "409 No"), KEEP),
        (stream("event: stderr\ndata: x", "event: PROCESS_STATE_EXITED\ndata: {}"), Script.HOLD),
    )
    with Client(path, timeout=5) as client:
        with pytest.raises(ApiError, match="already attached"):
            client.attach("web")
        pieces = client.attach("web")
        first, second = next(pieces), next(pieces)
    assert isinstance(first, LogPiece)
    assert (first.data, first.stream) == (b"x", "stderr")
    assert not isinstance(second, LogPiece)
    assert second.type == "PROCESS_STATE_EXITED"


def test_pieces_of_a_log() -> None:
    raw = base64.b64encode(b"a\rb\xff").decode()
    assert log_piece(ServerEvent("message", "a\nb\ufffd", "14", raw), 10) == LogPiece(b"a\rb\xff", 14)
    assert log_piece(ServerEvent("dropped", '{"bytes": 7}', "17"), 10) == LogPiece(b"", 17, missed=7)
    assert log_piece(ServerEvent("dropped", "?", ""), 10) == LogPiece(b"", 10)
    assert log_piece(ServerEvent("reset", "{}", "3"), 10) == LogPiece(b"", 3, is_reset=True)


def test_streams_with_other_line_ends() -> None:
    wire = b"data: a\r\ndata: b\r\nid: 1\r\n\r\n:x\r\n\r\ndata:c\r\n\r\n"
    for size in (1, 2, 3, len(wire)):
        pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
        assert list(events(pieces)) == [
            ServerEvent("message", "a\nb", "1"),
            None,
            ServerEvent("message", "c", ""),
        ]
