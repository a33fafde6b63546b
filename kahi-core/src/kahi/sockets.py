"""Listening sockets, bound by Kahi itself so that there is no moment in which others may connect."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import pwd
import socket
import stat
from dataclasses import dataclass
from typing import Final

from kahi.errors import KahiError

BACKLOG: Final = 512
PROBE_TIME: Final = 1.0
"""Seconds to wait for whoever may be behind a socket that is there already."""


class SocketRefused(KahiError):
    """A listening socket can not be had, and why; ``errno`` is 0 when the system did not refuse it."""

    def __init__(self, path: str, reason: str, errno: int = 0) -> None:
        self.errno = errno
        self.reason = reason
        super().__init__(f"cannot listen on {path}: {reason}")


@dataclass(slots=True)
class UnixListener:
    """A bound Unix socket under its lock. Close it to remove both.

    Args:
        lock: descriptor of the lock file beside the socket, held for as long as we listen; -1 for none.
        inode: device and inode of the socket, so that only this one is removed.
    """

    socket: socket.socket
    path: str
    lock: int
    inode: tuple[int, int]

    def close(self) -> None:
        """Remove the socket, unless somebody replaced it, and let go of the lock."""
        with contextlib.suppress(OSError):
            found = os.lstat(self.path)
            if (found.st_dev, found.st_ino) == self.inode:
                os.unlink(self.path)
        self.socket.close()
        if self.lock >= 0:
            with contextlib.suppress(OSError):
                os.unlink(_lock_path(self.path))
            os.close(self.lock)


def listen_unix(
    path: str, mode: int, owner: str = "", *, backlog: int = BACKLOG, locked: bool = True
) -> UnixListener:
    """Listen on a Unix socket that has its final mode and owner from the first moment.

    A stale socket is replaced; one with somebody alive behind it, a symlink, or anything that is no
    socket is refused.

    Args:
        owner: ``user`` or ``user:group``, "" for the daemon's own.
        locked: hold a lock file beside it, against two daemons that start at the same time.

    Raises:
        SocketRefused: why it can not be had.
    """
    lock = _take_lock(path) if locked else -1
    try:
        _remove_stale(path)
        listener = _bind(path, mode, owner, backlog)
        found = os.lstat(path)
    except OSError as error:
        _close(lock)
        raise SocketRefused(path, os.strerror(error.errno or errno.EIO), error.errno or 0) from None
    except SocketRefused:
        _close(lock)
        raise
    return UnixListener(listener, path, lock, (found.st_dev, found.st_ino))


def listen_tcp(host: str, port: int, *, backlog: int = BACKLOG) -> socket.socket:
    """Listen on a TCP address, IPv4 or IPv6; port 0 takes a free one.

    Raises:
        SocketRefused: why it can not be had.
    """
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SocketRefused(place, error.strerror or str(error)) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SocketRefused(place, os.strerror(error.errno or errno.EIO), error.errno or 0) from None
    return listener


def _close(lock: int) -> None:
    if lock >= 0:
        os.close(lock)


def _lock_path(path: str) -> str:
    return f"{path}.lock"


def _take_lock(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        try:
            lock = os.open(_lock_path(path), flags, 0o600)
        except OSError as error:
            reason = os.strerror(error.errno or errno.EIO)
            raise SocketRefused(path, f"its lock file {_lock_path(path)}: {reason}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(lock)
            os.close(lock)
            raise SocketRefused(path, f"another daemon{holder} uses it") from None
        if _is_still_there(lock, _lock_path(path)):
            os.ftruncate(lock, 0)
            os.write(lock, b"%d\n" % os.getpid())
            return lock
        # Its last holder removed it between our opening and locking it.
        os.close(lock)


def _holder(lock: int) -> str:
    """Who holds a lock, as its file says, for people."""
    text = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
    return f" with pid {text}" if text.isdecimal() else ""


def _is_still_there(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def _remove_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no socket"
        raise SocketRefused(path, f"what is there is {kind}")
    probe = socket.socket(socket.AF_UNIX)
    probe.settimeout(PROBE_TIME)
    try:
        probe.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        os.unlink(path)
    else:
        raise SocketRefused(path, "somebody else answers there", errno.EADDRINUSE)
    finally:
        probe.close()


def _bind(path: str, mode: int, owner: str, backlog: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o777 & ~mode)
    try:
        listener.bind(path)
        if owner:
            os.chown(path, *_ids(path, owner), follow_symlinks=False)
        if stat.S_IMODE(os.lstat(path).st_mode) != mode:
            os.chmod(path, mode)
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(umask)
    return listener


def _ids(path: str, owner: str) -> tuple[int, int]:
    user, _, group = owner.partition(":")
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        gid = -1 if not group else int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise SocketRefused(path, f"there is no {owner}") from None
    return uid, gid
