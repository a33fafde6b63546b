"""A log file with rotation by size. Used on the data-plane thread; readers open files of their own."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

MODE: Final = 0o640
FLAGS: Final = (
    os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
)


class LogFile:
    """Appends to ``path`` and renames it to ``path.1`` … when it has grown to ``maxbytes``.

    Args:
        maxbytes: 0 never rotates.
        backups: rotated files that are kept; 0 empties the file instead.

    Raises:
        OSError: it can not be opened, or is no regular file.
    """

    def __init__(self, path: str, maxbytes: int, backups: int, *, mode: int = MODE) -> None:
        self.path = path
        self.maxbytes = maxbytes
        self.backups = backups
        self.generation = 0
        """Grows with each rotation, so that a reader notices one that happened under its hands."""
        self.size = 0
        self.rotates = True
        self._mode = mode
        self._fd = -1
        self.open()

    def open(self) -> None:
        """Open the file, or open it anew after somebody moved it."""
        fd = os.open(self.path, FLAGS, self._mode)
        try:
            status = os.fstat(fd)
            _refuse_planted(status)
        except OSError:
            os.close(fd)
            raise
        self.close()
        self._fd = fd
        self.rotates = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if self.rotates else 0
        os.set_blocking(fd, True)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``, rotating before it when it does not fit any more.

        Returns:
            How many bytes were written when all went well: ``len(data)``.

        Raises:
            OSError: with ``characters_written`` set to what was written before it failed.
        """
        if not self.maxbytes or not self.rotates or self.size + len(data) <= self.maxbytes:
            return self._append(data)
        rest = memoryview(data)
        written = 0
        while rest:
            if self.size and self.size + len(rest) > self.maxbytes:
                self.rotate()
            piece = rest[: self.maxbytes]
            try:
                written += self._append(piece)
            except OSError as error:
                error.characters_written = written + getattr(error, "characters_written", 0)  # type: ignore[attr-defined]
                raise
            rest = rest[len(piece) :]
        return written

    def _append(self, data: bytes | memoryview) -> int:
        written = 0
        view = memoryview(data)
        while written < len(view):
            try:
                count = os.write(self._fd, view[written:])
            except OSError as error:
                error.characters_written = written  # type: ignore[attr-defined]
                raise
            written += count
            self.size += count
        return written

    def rotate(self) -> None:
        """Rename ``path`` to ``path.1`` and so on, and begin a new file."""
        if self.backups == 0:
            os.ftruncate(self._fd, 0)
        else:
            for number in range(self.backups - 1, 0, -1):
                _rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")
            _rename(self.path, f"{self.path}.1")
            self.open()
        self.generation += 1
        self.size = 0

    def clear(self) -> None:
        """Empty the file and remove its rotated predecessors."""
        if self.rotates:
            os.ftruncate(self._fd, 0)
        for number in range(1, self.backups + 1):
            _remove(f"{self.path}.{number}")
        self.generation += 1
        self.size = 0


def _refuse_planted(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise OSError(errno.EMLINK, "has a second hard link")
    if stat.S_ISDIR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file")


def _rename(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.rename(source, target)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
