"""From the name of a machine to addresses that were checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading

from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.target import Target, forbidden, is_loopback

MOST_ADDRESSES = 4
"""Addresses of one name that are tried."""


async def checked_addresses(host: str, target: Target, *, allow_insecure: bool) -> list[str]:
    """Resolve the host of ``target`` once.

    Args:
        host: its name as name servers know it.

    Raises:
        AttemptFailed: it has no address, or one that nothing is ever sent to.
    """
    found = await _resolve(host, target.port)
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        reason = forbidden(address)
        if not reason and target.scheme == "http" and not allow_insecure and not is_loopback(address):
            reason = "another machine, and http is for this one"
        if reason:
            raise AttemptFailed(f"{target.host} is {text}: {reason}", temporary=False)
    return found[:MOST_ADDRESSES]


async def _resolve(host: str, port: int) -> list[str]:
    """Look up a name on a thread of its own, which is left to itself when nobody waits any more.

    Threads of pools are waited for when the daemon ends, and a resolver may hang for half a minute.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str], error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def look_up() -> None:
        found: list[str] = []
        failure: Exception | None = None
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except socket.gaierror as error:
            failure = AttemptFailed(f"{host} has no address: {error.strerror}")
        except (OSError, UnicodeError):
            failure = AttemptFailed(f"{host} has no address")
        try:
            loop.call_soon_threadsafe(settle, found, failure)
        except RuntimeError:
            # The loop is closed: nobody wants to know any more.
            return

    threading.Thread(target=look_up, name="kahi-resolve", daemon=True).start()
    return await future
