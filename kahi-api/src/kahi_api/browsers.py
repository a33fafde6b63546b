"""What keeps foreign web pages from using the API with the rights of whoever looks at them.

A browser sends credentials with every request to a host that it knows, whoever wrote the page. So
the host must be one that we go by (a name of the attacker's that leads to our address is not), and
what changes something must come from a page of our own, or from no browser at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kahi_api.errors import ForeignOrigin, Misdirected, refusal_response
from kahi_api.identity import peer_of

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What pages may load and do: nothing inline, nothing from elsewhere."""

SECURITY_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Headers of every answer, unless it sets one itself. No CORS: no other origin may read anything."""


class BrowserRules:
    """The application behind the rules for browsers.

    Args:
        allowed_hosts: names, with or without port, under which it is reached over TCP besides
            localhost and the address of the connection itself.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = LOCAL_NAMES | {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = message["headers"]
                present = {name for name, _ in headers}
                headers.extend(header for header in SECURITY_HEADERS if header[0] not in present)
            await send(message)

        request = Request(scope)
        try:
            self._check_host(request)
            check_origin(request)
        except (Misdirected, ForeignOrigin) as refusal:
            await refusal_response(refusal)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check_host(self, request: Request) -> None:
        """Over TCP, the host must be one of ours; no browser reaches a Unix socket by itself."""
        if peer_of(request).trusted:
            return
        host = request.headers.get("host", "").lower()
        name = _without_port(host)
        own: str = (request.scope.get("server") or ("", 0))[0]
        if name in self._hosts or host in self._hosts or name == (f"[{own}]" if ":" in own else own):
            return
        raise Misdirected(host)


def check_origin(request: Request) -> None:
    """Refuse what a foreign page sends. Raises ForeignOrigin.

    Foreign pages may lead to ours by a link, and that is all: not change anything, not load or
    open a stream. Programs that are no browsers send neither of the headers.
    """
    headers = request.headers
    safe = request.method in SAFE_METHODS
    site = headers.get("sec-fetch-site")
    follows_link = safe and headers.get("sec-fetch-mode") == "navigate"
    if site is not None and site not in ("same-origin", "none") and not follows_link:
        raise ForeignOrigin
    origin = headers.get("origin")
    if origin is None or safe:
        return
    if origin == "null" and site == "same-origin":
        # A form of a page of ours: our Referrer-Policy makes browsers name no origin.
        return
    parts = urlsplit(origin)
    if not parts.netloc or parts.netloc.lower() != headers.get("host", "").lower():
        raise ForeignOrigin
    if not peer_of(request).trusted and parts.scheme != request.scope["scheme"]:
        # Behind a Unix socket there may be a proxy that speaks TLS for us.
        raise ForeignOrigin


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
