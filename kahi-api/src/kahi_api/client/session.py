"""Requests and streams of one daemon: JSON in and out, errors as exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from kahi_api.client.address import Address
from kahi_api.client.errors import ApiError, ConnectionLost
from kahi_api.client.http import SILENCE, Connection, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kahi_api.client.following import Waiting
    from kahi_api.client.sse import ServerEvent


class Session:
    """A connection for requests, and one for each stream that is open.

    Args:
        headers: sent with every request.
        timeout: seconds to wait for an answer, None without end.
    """

    def __init__(self, address: Address, headers: Mapping[str, str], timeout: float | None) -> None:
        self.address = address
        self._headers = headers
        self._connection = Connection(address, headers, timeout)
        self._streams: set[Connection] = set()
        self._is_closed = False

    def close(self) -> None:
        """Close the connection, and end what is followed, in another thread too."""
        self._is_closed = True
        self._connection.close()
        for stream in tuple(self._streams):
            stream.interrupt()

    def request(self, method: str, target: str, body: bytes = b"") -> Response:
        """The answer to a request. Raises `ApiError` when it tells of an error."""
        response = self._connection.request(method, target, body)
        if response.status >= 400:
            raise _error(response.status, response.body)
        return response

    def json(self, method: str, target: str, body: object = None) -> Any:
        """The decoded answer to a request, ``body`` encoded unless it is None."""
        data = b"" if body is None else json.dumps(body).encode()
        return _decoded(self.request(method, target, data))

    def probe(self, target: str) -> dict[str, Any]:
        """The decoded answer of a probe, whether it is good or bad news."""
        response = self._connection.request("GET", target)
        if response.status not in (200, 503):
            raise _error(response.status, response.body)
        return _decoded(response)

    def events(self, target: str, last: str = "") -> Iterator[ServerEvent | None]:
        """Open a stream; it is closed with its iterator. Raises before there is one to iterate over.

        Args:
            last: id of the event after which it goes on.
        """
        connection = Connection(self.address, self._headers, SILENCE)
        self._streams.add(connection)
        try:
            status, _, chunks = connection.stream(target, {"Last-Event-ID": last} if last else {})
            if status >= 400:
                raise _error(status, b"".join(chunks))
        except BaseException:
            self._forget(connection)
            raise
        stream = self._read(connection, chunks)
        # A generator that has begun cleans up, also when nobody iterates over it.
        next(stream)
        return stream

    def follow(
        self, path: str, last: str, waiting: Waiting | None, again: Callable[[str], str] | None = None
    ) -> Iterator[ServerEvent]:
        """The events of a stream, over interruptions; see [kahi_api.client.following.follow][]."""
        from kahi_api.client.following import follow

        return follow(
            lambda last: self.events(path, last), last, waiting, again, is_over=lambda: self._is_closed
        )

    def _read(self, connection: Connection, chunks: Iterator[bytes]) -> Iterator[ServerEvent | None]:
        from kahi_api.client.sse import events

        try:
            yield None
            yield from events(chunks)
        except ConnectionLost:
            if not self._is_closed:
                raise
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self._streams.discard(connection)
        connection.close()


def basic_authorization(username: str, password: str) -> dict[str, str]:
    """The header that says who asks."""
    import binascii

    secret = f"{username}:{password}".encode("utf-8", "surrogateescape")
    token = binascii.b2a_base64(secret, newline=False).decode()
    return {"Authorization": f"Basic {token}"}


def _decoded(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError:
        raise ConnectionLost("the daemon answered something that is no JSON") from None


def _error(status: int, body: bytes) -> ApiError:
    try:
        answer = json.loads(body)
        return ApiError(status, str(answer["code"]), str(answer["error"]))
    except (ValueError, KeyError, TypeError):
        return ApiError(status, "SERVER_ERROR", f"the daemon answered {status}")
