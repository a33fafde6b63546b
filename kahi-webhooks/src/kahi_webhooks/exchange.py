"""One attempt: a POST to an address that was checked, and as much of the answer as is of interest.

Importing this module takes the HTTP library with it, which is why only threads do.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.request import getproxies_environment, proxy_bypass

import anyio
import httpx2

from kahi.version import __version__
from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.resolving import checked_addresses
from kahi_webhooks.retrying import retry_after
from kahi_webhooks.settings import WebhookSettings
from kahi_webhooks.target import Target

USER_AGENT: Final = f"kahi-webhooks/{__version__}"

LONGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read; what the status says counts whatever comes after."""

LONGEST_EXCERPT: Final = 200

for _name in ("httpx2", "httpcore2"):
    # They log URLs and headers, which hold secrets.
    logging.getLogger(_name).setLevel(logging.WARNING)

NarrowTls = Callable[[ssl.SSLContext], None]
"""Narrows a TLS context down."""


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Connects to checked addresses in place of names; the certificate still has to fit the name."""

    def __init__(self, target: Target, tls: ssl.SSLContext, *, allow_insecure: bool) -> None:
        self._target = target
        self._allow_insecure = allow_insecure
        self._inner = httpx2.AsyncHTTPTransport(verify=tls, limits=httpx2.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request`` to the first address that can be connected to."""
        named = request.url
        host = named.raw_host.decode("ascii")
        addresses = await checked_addresses(host, self._target, allow_insecure=self._allow_insecure)
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in addresses[:-1]:
            request.url = named.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except httpx2.ConnectError:
                continue
        request.url = named.copy_with(host=addresses[-1])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


@dataclass(slots=True)
class _Answer:
    """What counts of an answer: its status. The rest is read so far as it comes in time."""

    status: int
    retry_after: str
    excerpt: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    async def read(self, response: httpx2.Response) -> None:
        """Read the body up to the limit, as it is: nothing is decompressed."""
        received = bytearray()
        async for chunk in response.aiter_raw():
            received += chunk
            text = bytes(received[:LONGEST_EXCERPT]).decode("utf-8", "replace")
            self.excerpt = "".join(each if each.isprintable() else " " for each in text).strip()
            if len(received) >= LONGEST_ANSWER:
                break


@dataclass(frozen=True, slots=True)
class Exchange:
    """Posts bodies. The certificates that are trusted are read once."""

    tls: ssl.SSLContext

    async def post(self, settings: WebhookSettings, body: bytes, headers: Mapping[str, str]) -> int:
        """Post ``body``; returns the status of an answer that says yes.

        Raises:
            AttemptFailed: there was no answer in time, or it does not say yes.
        """
        target = settings.target
        own = {name: value.get_secret_value() for name, value in settings.headers.items()}
        url = settings.url.get_secret_value()
        answer: _Answer | None = None
        try:
            with anyio.move_on_after(settings.timeout):
                async with (
                    self._client(settings, target) as client,
                    client.stream("POST", url, content=body, headers={**headers, **own}) as response,
                ):
                    answer = _Answer(response.status_code, response.headers.get("Retry-After", ""))
                    await answer.read(response)
        except httpx2.InvalidURL:
            raise AttemptFailed(
                f"{target.origin} is no host that can be asked for", temporary=False
            ) from None
        except httpx2.HTTPError as error:
            if answer is None:
                raise AttemptFailed(f"{target.origin}: {_reason(error)}") from None
        if answer is None:
            raise AttemptFailed(f"{target.origin} did not answer in {settings.timeout:g} s")
        if answer.is_success:
            return answer.status
        raise _refusal(target, answer)

    def _client(self, settings: WebhookSettings, target: Target) -> httpx2.AsyncClient:
        proxy = proxy_for(target)
        transport = (
            self._through(proxy)
            if proxy
            else CheckedTransport(target, self.tls, allow_insecure=settings.allow_insecure)
        )
        return httpx2.AsyncClient(
            transport=transport,
            timeout=settings.timeout,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT},
        )

    def _through(self, proxy: str) -> httpx2.AsyncHTTPTransport:
        try:
            return httpx2.AsyncHTTPTransport(verify=self.tls, proxy=proxy)
        except (httpx2.InvalidURL, ValueError, ImportError):
            # The library takes socks5 as well, with one more package.
            raise AttemptFailed(
                "the proxy that the environment names cannot be used (allowed: http, https)", temporary=False
            ) from None


def make_exchange(narrow: NarrowTls) -> Exchange:
    """Read the trusted certificates; on a thread, because that takes a while.

    Args:
        narrow: lets plugins narrow down what TLS accepts.
    """
    context = httpx2.create_ssl_context()
    narrow(context)
    return Exchange(context)


def proxy_for(target: Target) -> str:
    """The proxy that the environment names for ``target``, "" for none; this machine needs none."""
    proxies = getproxies_environment()
    proxy = proxies.get(target.scheme) or proxies.get("all") or ""
    if not proxy or target.is_local or proxy_bypass(target.host):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _refusal(target: Target, answer: _Answer) -> AttemptFailed:
    status = answer.status
    remark = " (redirects are not followed)" if 300 <= status < 400 else ""
    return AttemptFailed(
        f"{target.origin} answered {status}{remark}",
        temporary=status == 429 or status >= 500,
        retry_after=retry_after(answer.retry_after, time.time()),
        said=answer.excerpt,
    )


def _reason(error: httpx2.HTTPError) -> str:
    """What went wrong, in words that hold nothing of the request."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or 'protocol error'}"
        if isinstance(cause, OSError) and cause.errno:
            reason = os.strerror(cause.errno)
            return f"cannot connect: {reason}" if isinstance(error, httpx2.ConnectError) else reason
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ProxyError):
        return "the proxy refused to connect"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx2.ConnectError):
        return "cannot connect"
    if isinstance(error, httpx2.ProtocolError):
        return "it did not answer in HTTP"
    return "the connection broke"
