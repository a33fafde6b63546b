"""A receiver of webhooks that behaves as badly as a test wants."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support import eventually


@dataclass
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    time: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """An HTTP server on loopback, on a thread.

    Args:
        behave: answers a request; says 200 when None. Gets the handler and the number of the request.
    """

    def __init__(
        self,
        behave: Callable[[BaseHTTPRequestHandler, int], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.received: list[Received] = []
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.received.append(Received(self.command, self.path, dict(self.headers.items()), body))
                with contextlib.suppress(OSError):
                    (behave or answer(200))(self, len(receiver.received))

            do_CONNECT = do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        """Types of the events that came, in order."""
        return [each.headers["X-Kahi-Event"] for each in self.received]

    def wait_for(self, count: int, patience: float = 20.0) -> list[Received]:
        """The requests, once there are ``count``."""
        eventually(lambda: len(self.received) >= count, f"{count} requests came", patience)
        return self.received

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


Behaviour = Callable[[BaseHTTPRequestHandler, int], None]


def answer(status: int, headers: dict[str, str] | None = None, body: bytes = b"ok") -> Behaviour:
    """Answers always the same."""

    def behave(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def first(count: int, behave: Behaviour, then: Behaviour) -> Behaviour:
    """Behaves one way for ``count`` requests, and then another way."""
    return lambda handler, number: (behave if number <= count else then)(handler, number)
