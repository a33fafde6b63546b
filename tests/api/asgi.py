"""Calling an ASGI application without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

App = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    """A whole response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    error: Exception | None = None
    """What the application raised after it had answered, for the server's log."""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def call(
    app: App,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    state: Mapping[str, Any] | None = None,
) -> Answer:
    """Send one request and wait for the whole answer.

    Args:
        state: of the connection, such as its ``peer``.
    """
    target, _, query = path.partition("?")
    fields = {"host": "localhost"} | {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": target,
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "scheme": "http",
        "server": ("localhost", 80),
        "client": None,
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "state": dict(state or {}),
    }
    sent: list[dict[str, Any]] = []
    received = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(received, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    error: Exception | None = None
    try:
        asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    except Exception as raised:
        if not sent:
            raise
        error = raised
    start = sent[0]
    return Answer(
        start["status"],
        {name.decode().lower(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
        error,
    )
