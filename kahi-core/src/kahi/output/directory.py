"""Names in the directory of a log, reached without following a link that somebody planted.

As root every directory on the way is opened one by one and none of them may be a symbolic link, so
that nobody who may write to one of them can lead the daemon elsewhere. Anybody else can only be led
to what is their own, and may keep logs behind links.
"""

from __future__ import annotations

import contextlib
import errno
import os
from types import TracebackType
from typing import Final, Self

_STEP: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Directory:
    """The directory of ``path``, for a few operations on names in it.

    Raises:
        OSError: it can not be reached; ELOOP with the link that stands in the way.
    """

    __slots__ = ("_fd", "_prefix")

    def __init__(self, path: str) -> None:
        parent = os.path.dirname(path)
        self._fd: int | None = None
        self._prefix = f"{parent}/"
        if os.geteuid() == 0:
            self._fd = _walk(parent)
            self._prefix = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def open(self, name: str, flags: int, mode: int) -> int:
        """Open a name that must not be a symbolic link."""
        try:
            return os.open(self._prefix + name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self._fd)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, "is a symbolic link") from None
            raise

    def identity(self, name: str) -> tuple[int, int] | None:
        """Device and inode of what has a name, None when nothing has it."""
        try:
            found = os.stat(self._prefix + name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; what had that name is gone."""
        os.rename(self._prefix + old, self._prefix + new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is ignored."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._prefix + name, dir_fd=self._fd)


def _walk(parent: str) -> int:
    """Open a directory step by step, following no link."""
    fd = os.open("/", _STEP)
    at = ""
    for step in filter(None, parent.split("/")):
        at = f"{at}/{step}"
        try:
            following = os.open(step, _STEP, dir_fd=fd)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP) and os.path.islink(at):
                reason = f"{at} is a symbolic link, and as root none is followed: name the real path"
                raise OSError(errno.ELOOP, reason) from None
            raise
        finally:
            os.close(fd)
        fd = following
    return fd
