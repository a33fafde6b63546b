"""The file that tells the pid of the daemon, and keeps a second one from starting.

The daemon holds a lock on it for as long as it lives, which the kernel lets go of whatever happens
to it: whether a file that is there is stale is a question of the lock, never of the pid in it, which
may be somebody else's by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Generator
from typing import Final

from kahi.errors import KahiError

ATTEMPTS: Final = 20
"""How often somebody else's file may appear or vanish under our hands before we give up."""


class AlreadyRunning(KahiError):
    """Another daemon with the same pid file lives."""


@contextlib.contextmanager
def pid_file(path: str) -> Generator[str]:
    """Hold ``path`` with the own pid in it; "" holds none.

    It appears whole, with the lock on it, and is removed again. A file of a daemon that is gone is
    replaced; the result is what there is to say about that, "" for nothing.

    Raises:
        AlreadyRunning: another daemon holds it.
        KahiError: it can not be written.
    """
    if not path:
        yield ""
        return
    path = os.path.abspath(path)
    try:
        held, remark = _take(path)
    except OSError as error:
        raise KahiError(f"cannot write pid file {path}: {os.strerror(error.errno or 0)}") from None
    try:
        yield remark
    finally:
        _give_up(path, held)


def _take(path: str) -> tuple[int, str]:
    """A descriptor of ``path``, locked and with the own pid in it, and a remark about a stale one."""
    remark = ""
    for _ in range(ATTEMPTS):
        fd, temporary = tempfile.mkstemp(prefix=".kahi-", dir=os.path.dirname(path))
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(fd, b"%d\n" % os.getpid())
            os.fchmod(fd, 0o644)
            os.link(temporary, path)
        except FileExistsError:
            os.close(fd)
        except OSError:
            os.close(fd)
            raise
        else:
            return fd, remark
        finally:
            os.unlink(temporary)
        remark = _remove_stale(path)
    raise KahiError(f"cannot write pid file {path}: others come and go there")


def _remove_stale(path: str) -> str:
    """Remove the file at ``path``, unless a daemon holds it; returns what to say about it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        pid = os.read(fd, 32).decode("ascii", "replace").strip()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"already running with pid {pid} (pid file {path})") from None
        # Only who holds the lock of the file that is there now may remove it.
        if not _is_at(fd, path):
            return ""
        os.unlink(path)
        return f"replaced the stale pid file {path} (pid {pid})" if pid else ""
    finally:
        os.close(fd)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def _give_up(path: str, fd: int) -> None:
    """Remove the file if it is still ours; empty it where the directory forbids that."""
    with contextlib.suppress(OSError):
        if _is_at(fd, path):
            os.ftruncate(fd, 0)
            os.unlink(path)
    os.close(fd)
