"""The http check: one GET, answered with 2xx or 3xx. Redirects are not followed."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from kahi.health.connection import connected
from kahi.hookspecs import CheckFailed

if TYPE_CHECKING:
    import ssl

    from kahi.process import Process

MAX_BODY: Final = 256 * 1024
"""Bytes of an answer in which expected text is looked for."""

PIECE: Final = 16 * 1024

URL_CHARACTERS: Final = "/?#[]@!$&'()*+,;=:%~-._"
"""What stands in a URL as it is."""


class HttpCheck:
    """Asks for a URL.

    Args:
        expect: text that the body has to hold, "" for any answer.
    """

    def __init__(self, url: str, expect: str = "") -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._is_tls = parts.scheme == "https"
        self._tls: ssl.SSLContext | None = None
        self._request = _request(parts)
        self._expect = expect.encode()

    async def check(self, process: Process) -> None:
        """Ask once. Raises CheckFailed."""
        async with connected(self._host, self._port, self._context()) as (reader, writer):
            writer.write(self._request)
            try:
                headers = await _head(reader)
                if self._expect:
                    await _find(self._expect, reader, headers)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                raise CheckFailed("answered something that is no HTTP") from None

    def _context(self) -> ssl.SSLContext | None:
        if self._is_tls and self._tls is None:
            # An import that costs more than all checks of a program without TLS.
            import ssl

            self._tls = ssl.create_default_context()
        return self._tls


def _request(parts: SplitResult) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {quote(target, safe=URL_CHARACTERS)} HTTP/1.1",
        f"Host: {_host(parts.netloc.rpartition('@')[2])}",
        "User-Agent: kahi",
        "Accept: */*",
        "Connection: close",
    ]
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}")
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _host(place: str) -> str:
    """Host and port as a header has them: a name in letters that it may hold, an address as it is."""
    if place.startswith("["):
        return place
    name, colon, port = place.partition(":")
    return f"{name.encode('idna').decode()}{colon}{port}"


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """The headers of the answer, in lower case. Raises CheckFailed when it is not 2xx or 3xx."""
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise CheckFailed("closed the connection without an answer") from None
            raise
        status_line, *lines = head.split("\r\n")
        version, status, *reason = status_line.split(" ", 2)
        if not version.startswith("HTTP/1.") or not (status.isdecimal() and len(status) == 3):
            raise ValueError(status_line)
        if status.startswith("1"):
            continue
        if status[0] not in "23":
            raise CheckFailed(f"answered {' '.join((status, *reason)).strip()[:80]}")
        pairs = (line.partition(":") for line in lines if line)
        return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


async def _find(expected: bytes, reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
    """Raises CheckFailed when ``expected`` is not in the body."""
    body = bytearray()
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            body += await reader.readexactly(min(size, MAX_BODY + 1))
            if expected in body:
                return
            if len(body) > MAX_BODY:
                break
            await reader.readexactly(2)
    else:
        length = min(int(headers.get("content-length", MAX_BODY)), MAX_BODY)
        while len(body) < length and (piece := await reader.read(min(PIECE, length - len(body)))):
            body += piece
            if expected in body:
                return
    raise CheckFailed(f"the answer does not hold {expected.decode()!r}")
