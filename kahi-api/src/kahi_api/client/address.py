"""Where a daemon listens: a Unix socket, or a TCP port with or without TLS."""

from __future__ import annotations

import socket

from kahi_api.client.errors import BadAddress, CannotConnect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Final

DEFAULT_PORT: Final = 9876

CONNECT_TIMEOUT: Final = 10.0
"""Seconds that a connection over TCP may take to come about."""

REASONS: Final = {
    "ConnectionRefusedError": "is it running?",
    "FileNotFoundError": "is it running?",
    "PermissionError": "permission denied",
    "TimeoutError": "it does not answer",
}


class UnixAddress:
    """The path of a control socket."""

    __slots__ = ("path",)

    host = "kahi"
    """What stands in the Host header, where a name has no meaning."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __str__(self) -> str:
        return self.path

    def open(self, timeout: float | None) -> socket.socket:
        """A connection. Raises `CannotConnect`."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(self.path)
        except OSError as error:
            connection.close()
            raise CannotConnect(str(self), _reason(error)) from None
        return connection


class TcpAddress:
    """A host and a port.

    Args:
        tls: how to speak TLS there; None speaks plain HTTP.
    """

    __slots__ = ("_tls", "host", "name", "port")

    def __init__(self, name: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.name = name
        self.port = port
        self.host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        self._tls = tls

    def __str__(self) -> str:
        return f"https://{self.host}" if self._tls else self.host

    def open(self, timeout: float | None) -> socket.socket:
        """A connection, its certificate checked where it speaks TLS. Raises `CannotConnect`."""
        try:
            connection = socket.create_connection((self.name, self.port), timeout or CONNECT_TIMEOUT)
        except OSError as error:
            raise CannotConnect(str(self), _reason(error)) from None
        except UnicodeError:
            raise CannotConnect(str(self), "this is no name of a host") from None
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_hostname=self.name)
            connection.settimeout(timeout)
        except OSError as error:
            connection.close()
            raise CannotConnect(str(self), _reason(error)) from None
        return connection


Address = UnixAddress | TcpAddress


def parse_address(text: str, tls: ssl.SSLContext | None = None) -> Address:
    """The address that ``text`` means.

    Args:
        text: the path of a socket (``unix://`` may stand before it), ``http://HOST:PORT`` or
            ``https://HOST:PORT``.
        tls: for https; without it certificates are checked against what the system trusts.

    Raises:
        BadAddress: it is none of these.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return UnixAddress(text)
    if scheme == "unix":
        return UnixAddress(rest)
    if scheme not in ("http", "https"):
        raise BadAddress(text)
    name, port = _host_and_port(rest.removesuffix("/"), text)
    return TcpAddress(name, port, (tls or _trusting_the_system()) if scheme == "https" else None)


def _host_and_port(rest: str, text: str) -> tuple[str, int]:
    if rest.startswith("["):
        name, bracket, tail = rest[1:].partition("]")
        if not bracket:
            raise BadAddress(text)
    else:
        name, colon, tail = rest.partition(":")
        tail = colon + tail
    number = tail.removeprefix(":") if tail else str(DEFAULT_PORT)
    if not name or "/" in name or (tail and not tail.startswith(":")):
        raise BadAddress(text)
    if not (number.isascii() and number.isdecimal() and 0 < int(number) < 65536):
        raise BadAddress(text)
    return name, int(number)


def _trusting_the_system() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _reason(error: OSError) -> str:
    known = REASONS.get(type(error).__name__)
    if known:
        return known
    # ssl.SSLCertVerificationError, told apart without importing ssl.
    verify = getattr(error, "verify_message", "")
    if verify:
        return f"its certificate is not trusted: {verify}"
    return error.strerror or str(error)
