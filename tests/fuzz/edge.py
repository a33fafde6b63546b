"""The edge of the HTTP server with nothing behind it, and time that passes at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.config import Config

from kahi_api import limits
from kahi_api.identity import Peer
from kahi_api.server.places import Places
from kahi_api.server.protocol import Protocol, State
from kahi_api.server.serving import _config
from tests.core.fakes import FakeClockLoop
from tests.fuzz.mutation import cuts

PATIENCE = limits.HEAD_TIME + limits.BODY_TIME + limits.KEEP_ALIVE + limits.READING_TIME + 1


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed, "something is written to a closed connection"
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Echo:
    """An application that reads the whole body and answers with its length."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        """Of the requests that were answered."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            length += len(message["body"])
            if not message.get("more_body"):
                break
        body = str(length).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        self.methods.append(scope["method"])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


def check_edge(data: bytes, places: list[int]) -> None:
    """Whatever comes, in whatever pieces: well-formed answers, no error, and the end in time."""
    loop = FakeClockLoop()
    asyncio.set_event_loop(loop)
    records = _Records()
    logging.getLogger().addHandler(records)
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    try:
        echo = Echo()
        config: Config = _config(echo)
        count = Places(10, 1)
        place = count.take(privileged=True)
        assert place is not None
        protocol = Protocol(config, State(), loop, Peer(trusted=True), place)
        transport = Transport()
        protocol.connection_made(transport)
        for piece in cuts(data, places):
            if transport.closed:
                break
            protocol.data_received(piece)
            loop.settle()
        loop.pass_time(PATIENCE)
        assert transport.closed, f"open after {PATIENCE:.0f} s"
        protocol.connection_lost(None)
        loop.pass_time(PATIENCE)
        assert count.taken == 0, "its place is not given back"
        assert not failures, failures
        assert not records.texts, records.texts
        assert not asyncio.all_tasks(loop)
        _check_answers(transport.written, echo.methods)
    finally:
        logging.getLogger().removeHandler(records)
        asyncio.set_event_loop(None)
        loop.close()


def _check_answers(written: bytes, methods: list[str]) -> None:
    """What was answered is a row of whole HTTP answers, to these requests and at most one that was refused."""
    asked = iter(methods)
    while written:
        client = h11.Connection(h11.CLIENT)
        method = next(asked, "GET")
        client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(written)
        event: Any = None
        while not isinstance(event, h11.EndOfMessage):
            event = client.next_event()
            assert event is not h11.NEED_DATA, f"an answer is not whole: {written!r}"
            if isinstance(event, h11.Response):
                assert event.status_code in (200, 400, 408, 431, 501), event
        written = client.trailing_data[0]
