"""A log file with rotation by size. Written on the data-plane thread; read by [kahi.output.logreader][].

The file may be moved, removed, truncated or made unwritable by others at any moment. Whatever
happens, what was opened is written to, and what can not be done now is tried again later.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kahi.output.directory import Directory
from kahi.system import System

MODE: Final = 0o640
FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY

ROTATION_RETRY: Final = 1.0
"""Seconds after which a rotation that failed is tried again, while the file grows on."""

Identity = tuple[int, int]
"""Device and inode: which file it is, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a log: its byte at ``skip`` is the byte at offset ``start`` of the stream."""

    start: int
    skip: int
    identity: Identity


class LogFile:
    """Appends to ``path`` and renames it to ``path.1`` … when it has grown to ``maxbytes``.

    Args:
        maxbytes: 0 never rotates.
        backups: rotated files that are kept; 0 empties the file instead.
        offset: of the stream so far. 0 takes what is in the file for its beginning, with any other
            what is there already is not part of the stream.
        create: make the file when it is not there.
        private: readable for its owner only, and locked, so that another daemon does not take it
            for a left-over.
        owner: whom a file that is made is given to, as uid and gid.
        on_trouble: told in words when a rotation fails for the first time.

    Raises:
        OSError: it can not be opened, or is not what a log may be.
    """

    __slots__ = (
        "_fd",
        "_mode",
        "_on_trouble",
        "_owner",
        "_private",
        "_rotate_after",
        "_system",
        "backups",
        "device",
        "end",
        "maxbytes",
        "path",
        "rotates",
        "segments",
        "size",
    )

    def __init__(
        self,
        path: str,
        maxbytes: int,
        backups: int,
        system: System,
        *,
        offset: int = 0,
        create: bool = True,
        private: bool = False,
        owner: tuple[int, int] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.maxbytes = maxbytes
        self.backups = backups
        self.size = 0
        self.end = offset
        """The stream's offset after the last byte that was written."""
        self.segments: tuple[Segment, ...] = ()
        """The files of the log, oldest first; replaced as a whole, so any thread may take it."""
        self.rotates = True
        """False for what can not be renamed and read back: FIFOs, terminals and the like."""
        self.device = 0
        self._system = system
        self._mode = 0o600 if private else MODE
        self._private = private
        self._owner = owner
        self._on_trouble = on_trouble
        self._rotate_after = 0.0
        self._fd = -1
        with Directory(path) as directory:
            self._open(directory, create=create)

    # Opening

    def reopen(self) -> None:
        """Open ``path`` anew, as after somebody moved it; nothing changes when it still is the file.

        Raises:
            OSError: that is impossible; the file that was open stays open.
        """
        with Directory(self.path) as directory:
            self._open(directory, create=True)

    def is_moved(self) -> bool:
        """Whether ``path`` names another file by now, or none. Raises OSError when it can not be told."""
        with Directory(self.path) as directory:
            return self.rotates and not self._is_in_place(directory)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self, directory: Directory, *, create: bool) -> None:
        fd = self._open_descriptor(directory, create=create)
        try:
            status = os.fstat(fd)
            _refuse_planted(status)
        except OSError:
            os.close(fd)
            raise
        identity = (status.st_dev, status.st_ino)
        if self.segments and self.segments[-1].identity == identity:
            os.close(fd)
            self._take_over_size(status.st_size)
            return
        if self._private:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                raise
        self.close()
        self._fd = self._system.lift(fd)
        self.device = status.st_dev
        self.rotates = stat.S_ISREG(status.st_mode)
        if not self.rotates:
            os.set_blocking(self._fd, True)
            self.size = 0
            self.segments = ()
            return
        self.size = status.st_size
        if self.end == 0 and not self.segments:
            self.segments = (Segment(0, 0, identity),)
            self.end = self.size
        else:
            # A file of a number that was used before: the one that had it is gone.
            older = [each for each in self.segments if each.identity != identity]
            self.segments = (*older[-self._kept :], Segment(self.end, self.size, identity))

    def _open_descriptor(self, directory: Directory, *, create: bool) -> int:
        name = os.path.basename(self.path)
        if not create or self._owner is None:
            return directory.open(name, FLAGS | (os.O_CREAT if create else 0), self._mode)
        try:
            fd = directory.open(name, FLAGS | os.O_CREAT | os.O_EXCL, self._mode)
        except FileExistsError:
            return directory.open(name, FLAGS, self._mode)
        try:
            os.fchown(fd, *self._owner)
        except OSError:
            os.close(fd)
            raise
        return fd

    @property
    def _kept(self) -> int:
        """Older files in which readers look; somebody else's rotation keeps one at least."""
        return max(self.backups, 1)

    def _is_in_place(self, directory: Directory) -> bool:
        return directory.identity(os.path.basename(self.path)) == self.segments[-1].identity

    # Writing

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``, rotating before it when it does not fit any more.

        Raises:
            OSError: with ``characters_written`` set to what was written before it failed.
        """
        if self.maxbytes and self.rotates and self.size + len(data) > self.maxbytes:
            self._write_rotating(memoryview(data))
        else:
            self._append(data)

    def _append(self, data: bytes | memoryview) -> None:
        written = 0
        while True:
            try:
                count = self._system.write(self._fd, data)
            except OSError as error:
                error.characters_written = written  # type: ignore[attr-defined]
                raise
            self.size += count
            self.end += count
            if count == len(data):
                return
            written += count
            data = memoryview(data)[count:]

    def _write_rotating(self, rest: memoryview) -> None:
        written = 0
        while rest:
            if self.size and self.size + len(rest) > self.maxbytes:
                self._try_to_rotate(len(rest))
            piece = rest[: self.maxbytes]
            if len(piece) < len(rest):
                # Too much for one file: cut after a line if there is one.
                piece = piece[: bytes(piece).rfind(b"\n") + 1 or len(piece)]
            try:
                self._append(piece)
            except OSError as error:
                error.characters_written += written  # type: ignore[attr-defined]
                raise
            written += len(piece)
            rest = rest[len(piece) :]

    # Rotation

    def _try_to_rotate(self, incoming: int) -> None:
        """Rotate; when that fails the file grows on, and it is tried again after a while."""
        if self._rotate_after and self._system.monotonic() < self._rotate_after:
            return
        try:
            self.rotate(incoming)
        except OSError as error:
            if not self._rotate_after and self._on_trouble is not None:
                self._on_trouble(f"cannot rotate {self.path}: {error.strerror}; it grows on")
            self._rotate_after = self._system.monotonic() + ROTATION_RETRY
        else:
            self._rotate_after = 0.0

    def rotate(self, incoming: int) -> None:
        """Rename ``path`` to ``path.1`` and so on, and begin a new file, for ``incoming`` more bytes.

        A file that somebody moved away is not renamed, only replaced; one that somebody emptied has
        room again. A rotation that was broken off is finished by the next: names move up only as far
        as the first free one, so none is moved twice.

        Raises:
            OSError: a step failed; what is open stays open.
        """
        with Directory(self.path) as directory:
            if not self._is_in_place(directory):
                self._open(directory, create=True)
                return
            self._take_over_size(os.fstat(self._fd).st_size)
            if self.size + incoming <= self.maxbytes:
                return
            if self.backups == 0:
                self._empty()
                return
            name = os.path.basename(self.path)
            numbers = range(1, self.backups + 1)
            free = next((n for n in numbers if directory.identity(f"{name}.{n}") is None), self.backups)
            for number in range(free - 1, 0, -1):
                directory.rename(f"{name}.{number}", f"{name}.{number + 1}")
            directory.rename(name, f"{name}.1")
            self._open(directory, create=True)

    def clear(self) -> None:
        """Empty the file and remove its rotated predecessors."""
        if not self.rotates:
            return
        with Directory(self.path) as directory:
            if not self._is_in_place(directory):
                self._open(directory, create=True)
            name = os.path.basename(self.path)
            for number in range(1, self.backups + 1):
                directory.remove(f"{name}.{number}")
            self._empty()

    def _empty(self) -> None:
        """Truncate the file. Readers are told before, so that they never take new bytes for old ones."""
        before = self.segments
        self.segments = (Segment(self.end, 0, before[-1].identity),)
        try:
            os.ftruncate(self._fd, 0)
        except OSError:
            self.segments = before
            raise
        self.size = 0

    def _take_over_size(self, size: int) -> None:
        """Believe the disk when it has less than what was written: somebody truncated the file."""
        if size < self.size:
            self.size = size
            self.segments = (*self.segments[:-1], Segment(self.end - size, 0, self.segments[-1].identity))


def _refuse_planted(status: os.stat_result) -> None:
    """Raises OSError for what somebody may have put in the place of the log."""
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise OSError(errno.EMLINK, "has a second hard link")
    if stat.S_ISDIR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        raise OSError(errno.EINVAL, "is no file that can be appended to")
    if stat.S_ISFIFO(status.st_mode) and status.st_uid not in (0, os.geteuid()):
        raise OSError(errno.EPERM, "is a FIFO of another user")
