"""Connecting to the address that a check names."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from kahi.hookspecs import CheckFailed

if TYPE_CHECKING:
    import ssl

LOOPBACK: Final = ("127.0.0.1", "::1")
"""What ``localhost`` is, whatever a name server says."""

_TLS_NOISE: Final = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
"""What the TLS library wraps around its reasons."""

_resolving: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[list[str]]] = {}
"""Look-ups that are under way, so that a name server that hangs costs one thread for each name."""


@asynccontextmanager
async def connected(
    host: str, port: int, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the first address of ``host`` that takes one; cut at the end.

    Raises:
        CheckFailed: nobody does, and why.
    """
    reader, writer = await _connect(host, port, tls)
    try:
        yield reader, writer
    except OSError as error:
        raise CheckFailed(_reason(error)) from None
    finally:
        writer.transport.abort()


async def _connect(
    host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reason = ""
    for address in await _addresses(host):
        try:
            name = host if tls is not None else None
            return await asyncio.open_connection(address, port, ssl=tls, server_hostname=name)
        except OSError as error:
            reason = reason or _reason(error)
    raise CheckFailed(reason or f"{host} has no address")


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    is_plain = error.errno is not None and error.errno > 0 and type(error).__module__ == "builtins"
    if is_plain:
        return os.strerror(error.errno or 0).lower()
    return _TLS_NOISE.sub("", str(error)) or type(error).__name__


async def _addresses(host: str) -> list[str]:
    if host == "localhost":
        return list(LOOPBACK)
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host.partition("%")[0])
            return [host]
    loop = asyncio.get_running_loop()
    future = _resolving.get((loop, host))
    if future is None:
        future = _resolving[loop, host] = _resolve(loop, host)
        future.add_done_callback(lambda _: _resolving.pop((loop, host), None))
    try:
        return await asyncio.shield(future)
    except OSError as error:
        raise CheckFailed(f"cannot find {host}: {error.strerror or error}") from None


def _resolve(loop: asyncio.AbstractEventLoop, host: str) -> asyncio.Future[list[str]]:
    """Ask the system for addresses, in a thread that holds up nothing, not even the daemon's end."""
    future: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str] | OSError) -> None:
        if isinstance(found, OSError):
            future.set_exception(found)
            # Whoever asked may have given up.
            future.exception()
        else:
            future.set_result(found)

    def work() -> None:
        found: list[str] | OSError
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            found = error if isinstance(error, OSError) else OSError(0, "no name of a host")
        with contextlib.suppress(RuntimeError):
            # The loop may be closed already.
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=work, daemon=True, name="kahi-resolve").start()
    return future
