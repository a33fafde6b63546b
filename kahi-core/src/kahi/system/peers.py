"""Whom the kernel vouches for at the other end of a Unix socket, stream or datagram."""

from __future__ import annotations

import array
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

MAX_DATAGRAM: Final = 8192
"""Bytes of a message to the daemon; what is longer is cut."""

_SO_PEERGROUPS: Final = 59
_MAX_OPTION: Final = 1024
_CREDENTIALS: Final = struct.Struct("3i")
"""What the kernel says about a sender: pid, uid, gid."""


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Whom the kernel vouches for at the other end of a Unix socket.

    Args:
        groups: its own and its supplementary ones, as far as the system tells them.
        pid: 0 where it can not be told.
    """

    uid: int
    groups: frozenset[int]
    pid: int = 0


def peer_of(connection: socket.socket) -> PeerIdentity | None:
    """Who is at the other end of a stream; None where it can not be told."""
    if not hasattr(socket, "SO_PEERCRED"):
        return _local_peer(connection)
    pid, uid, gid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_OPTION)
    except OSError:
        # An old kernel, or somebody in hundreds of groups.
        raw = b""
    groups = struct.unpack(f"{len(raw) // 4}I", raw)
    return PeerIdentity(uid, frozenset((gid, *groups)), pid)


def receive(listener: socket.socket) -> tuple[bytes, int | None]:
    """The next datagram and the pid of its sender, None where it can not be told.

    Descriptors that come with it are closed, which is what a sender waits for that wants to know
    when it was heard.

    Raises:
        BlockingIOError: there is none.
    """
    room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(64 * 4)
    data, ancillary, _, _ = listener.recvmsg(MAX_DATAGRAM, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    sender: int | None = None
    for level, kind, payload in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            for fd in array.array("i", payload[: len(payload) // 4 * 4]):
                os.close(fd)
        elif kind == getattr(socket, "SCM_CREDENTIALS", -1) and len(payload) >= _CREDENTIALS.size:
            sender = _CREDENTIALS.unpack(payload[: _CREDENTIALS.size])[0]
    return data, sender


def _local_peer(connection: socket.socket) -> PeerIdentity | None:
    """macOS: LOCAL_PEERCRED, a struct xucred (version, uid, number of groups, at most 16 groups)."""
    sol_local, local_peercred = 0, 1
    try:
        raw = connection.getsockopt(sol_local, local_peercred, 76)
        _, uid, count = struct.unpack_from("=IIh", raw)
        return PeerIdentity(uid, frozenset(struct.unpack_from(f"={min(count, 16)}I", raw, 12)))
    except (OSError, struct.error):
        return None
