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
    """The control socket can not be had, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot listen on {path}: {reason}")


@dataclass(slots=True)
class UnixListener:
    """A bound Unix socket under its lock. Close it to remove both.

    Args:
        lock: descriptor of the lock file beside the socket, held for as long as we listen.
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
        with contextlib.suppress(OSError):
            os.unlink(_lock_path(self.path))
        os.close(self.lock)


def listen_unix(path: str, mode: int, owner: str = "") -> UnixListener:
    """Listen on a Unix socket that has its final mode and owner from the first moment.

    A stale socket is replaced; one with a live daemon behind it, a symlink, or anything that is no
    socket is refused.

    Args:
        owner: ``user`` or ``user:group``, "" for the daemon's own.

    Raises:
        SocketRefused: why it can not be had.
    """
    lock = _take_lock(path)
    try:
        _remove_stale(path)
        listener = _bind(path, mode, owner)
        found = os.lstat(path)
    except OSError as error:
        os.close(lock)
        raise SocketRefused(path, os.strerror(error.errno or errno.EIO)) from None
    except SocketRefused:
        os.close(lock)
        raise
    return UnixListener(listener, path, lock, (found.st_dev, found.st_ino))


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
            os.close(lock)
            raise SocketRefused(path, "another daemon uses it") from None
        if _is_still_there(lock, _lock_path(path)):
            return lock
        # Its last holder removed it between our opening and locking it.
        os.close(lock)


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
        raise SocketRefused(path, "another daemon answers there")
    finally:
        probe.close()


def _bind(path: str, mode: int, owner: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o777 & ~mode)
    try:
        listener.bind(path)
        if owner:
            os.chown(path, *_ids(path, owner), follow_symlinks=False)
        if stat.S_IMODE(os.lstat(path).st_mode) != mode:
            os.chmod(path, mode)
        listener.listen(BACKLOG)
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
