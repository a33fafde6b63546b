"""Where connections come in."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from kahi.system import PeerIdentity

Admits = Callable[[PeerIdentity], bool]


@dataclass(frozen=True, slots=True)
class Entrance:
    """A socket on which the API is served.

    Args:
        socket: bound and listening; it stays open when the server ends.
        url: for people.
        admits: who may connect to a Unix socket; None lets the mode of its file decide.
        tls: None for plain connections.
    """

    socket: socket.socket
    url: str
    admits: Admits | None = None
    tls: ssl.SSLContext | None = None
