"""uvicorn's h11 protocol, with what the daemon needs changed.

h11 and not httptools, which lets a missing or a double Host and megabytes of header pass. What is
added: limits of the head, deadlines for senders and readers, errors in the API's own form.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from kahi_api import limits
from kahi_api.browsers import SECURITY_HEADERS
from kahi_api.errors import CODES
from kahi_api.identity import Peer
from kahi_api.server.places import Place

log = logging.getLogger(__name__)


class State(ServerState):
    """What all connections share. The Date header is made when it is needed, not by a tick."""

    if not TYPE_CHECKING:

        @property
        def default_headers(self) -> list[tuple[bytes, bytes]]:
            """Headers of every response."""
            return [(b"date", _http_date(int(time.time())))]

        @default_headers.setter
        def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
            """uvicorn sets them once to nothing."""


@lru_cache(maxsize=1)
def _http_date(now: int) -> bytes:
    return formatdate(now, usegmt=True).encode()


class _Connection(h11.Connection):
    """Refuses heads that h11 lets pass when they come in one piece, or that two readers may read
    differently."""

    refusal: h11.RemoteProtocolError | None = None
    """Why the client is answered with an error."""

    def next_event(self) -> Any:
        """The next event; see h11."""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _check_head(event)
        except h11.RemoteProtocolError as error:
            self.refusal = error
            raise
        return event


def _check_head(request: h11.Request) -> None:
    names = [name for name, _ in request.headers]
    size = len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers)
    if size > limits.HEAD_SIZE or len(names) > limits.HEAD_FIELDS:
        raise h11.RemoteProtocolError("the head of the request is too large", 431)
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")


class Protocol(H11Protocol):
    """One connection: every request has to be sent, and every answer read, within its time.

    Args:
        peer: who is at the other end; all requests carry it.
        place: left when the connection ends.
    """

    def __init__(
        self, config: Config, state: ServerState, loop: asyncio.AbstractEventLoop, peer: Peer, place: Place
    ) -> None:
        super().__init__(config, state, {"peer": peer}, loop)
        self.conn = _Connection(h11.SERVER, limits.HEAD_SIZE)
        self._place = place
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = ""
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request must come soon."""
        super().connection_made(transport)
        self._await("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._await("")
        self.resume_writing()
        self._place.leave()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of a request."""
        super().data_received(data)
        self._consider_deadline()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._consider_deadline()

    def _consider_deadline(self) -> None:
        """A sender has so much time for a head, and then so much for a body, however it splits them."""
        if self.transport.is_closing():
            self._await("")
        elif self.conn.their_state is h11.SEND_BODY:
            self._await("body")
        elif self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._await("head")
        else:
            self._await("")

    def _await(self, what: str) -> None:
        if what == self._awaited:
            return
        self._awaited = what
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if what:
            time_limit = limits.HEAD_TIME if what == "head" else limits.BODY_TIME
            self._deadline = self.loop.call_later(time_limit, self._give_up)

    def _give_up(self) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self._refuse(408, f"the {self._awaited} of the request did not come in time")
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read; only a stream may wait for it without end."""
        super().pause_writing()
        endless = self.scope and self.scope.get("state", {}).get("endless")
        if not endless and self._unread is None:
            self._unread = self.loop.call_later(limits.READING_TIME, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def end(self) -> None:
        """The server ends: finish what is under way, but wait for nobody who does not read."""
        if self.flow.write_paused:
            self.transport.abort()
        else:
            self.shutdown()

    def _should_upgrade(self) -> bool:
        return False

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or too much of it."""
        refusal = self.conn.refusal  # type: ignore[attr-defined]
        status = 400 if refusal is None else refusal.error_status_hint
        self._refuse(status, "no valid HTTP request" if refusal is None else str(refusal))

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the application, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": message, "code": CODES.get(status, "BAD_REQUEST")}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
                *SECURITY_HEADERS,
            ]
            response = h11.Response(
                status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode()
            )
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
