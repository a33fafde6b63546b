"""A list of the children there are, kept where it outlives the daemon.

It is a piece of shared memory, in a file where one can be had: the daemon notes each child with a
few stores, no lock and seldom a system call; the kernel keeps what it noted whatever becomes of it. Who
reads it afterwards knows each child by its pid and by when it was there: a pid that was given to
somebody else since belongs to a process that started later.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
import stat
import struct
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kahi.guardian import MARK_SIZE
from kahi.system import IS_LINUX, ProcessEntry, System

CAPACITY: Final = 20_000
"""Children that can be noted."""

_HEAD: Final = struct.Struct("<16s48s16s")
_ENTRY: Final = struct.Struct("<Qd112s")
_MAGIC: Final = b"kahi children 1\n"
_SIZE: Final = _ENTRY.size * (CAPACITY + 1)
_LAST_PID: Final = 2**31 - 1

ROOM: Final = 4096
"""Bytes that the file is given at a time. A store where there are none yet, because the disk is full, would
end the daemon by SIGBUS."""

CLOCK_TICK: Final = 0.011
"""Seconds: how exactly the kernel tells when a process started."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A child that was noted: the leader of a session and group of its own, there at ``at`` (seconds
    since the system booted)."""

    pid: int
    at: float
    name: str


class Ledger:
    """The list. Noting and forgetting belong to one thread.

    Args:
        path: its file; "" for memory that has no name.
        descriptor: the open file, locked; or that of the memory without a name, -1 when it has none. It
            has room for the head.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        system: System,
        path: str = "",
        descriptor: int = -1,
    ) -> None:
        self._memory = memory
        self._system = system
        self._path = path
        self._descriptor = descriptor
        self._places: dict[int, int] = {}
        self._free = list(range(CAPACITY, 0, -1))
        self._room = ROOM
        self.mark = os.urandom(MARK_SIZE)
        """Tells what this daemon noted from what the next one does, in the same place."""
        # First of all: whoever guards the children of an earlier daemon sees that this one took over.
        _HEAD.pack_into(memory, 0, _MAGIC, system.boot_id().encode(), self.mark)

    def note(self, pid: int, name: str) -> None:
        """There is a child ``pid``. It is not noted where there is no room for it."""
        if self._free and self._has_room(self._free[-1]):
            place = self._places[pid] = self._free.pop()
            text = name.encode("utf-8", "replace")
            _ENTRY.pack_into(self._memory, place * _ENTRY.size, pid, self._system.boottime(), text)

    def _has_room(self, place: int) -> bool:
        """Whether there is memory behind a place, which lies at most one behind all that were used."""
        if place * _ENTRY.size >= self._room:
            try:
                _give_room(self._descriptor, self._room)
            except OSError:
                return False
            self._room += ROOM
        return True

    def forget(self, pid: int) -> None:
        """The child ``pid`` is about to be reaped."""
        place = self._places.pop(pid, 0)
        if place:
            _ENTRY.pack_into(self._memory, place * _ENTRY.size, 0, 0.0, b"")
            self._free.append(place)

    @contextlib.contextmanager
    def shared(self) -> Generator[int]:
        """A descriptor of the memory, to be given to another process.

        Raises:
            OSError: none can be had.
        """
        if self._path:
            fd = _open(self._path)
        elif self._descriptor >= 0:
            fd = os.dup(self._descriptor)
        else:
            raise OSError(errno.ENOTSUP, "there is no memory to share")
        try:
            yield fd
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of it; what is left of the children stays on record."""
        if self._path and not self._places:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._memory.close()


def open_ledger(config: str, system: System) -> tuple[Ledger, list[Entry]]:
    """The ledger of the daemon with a configuration, and whom the last one noted and did not forget.

    Where no file can be had, or another daemon with the same configuration holds it, it is one in
    memory only.
    """
    noted: list[Entry] = []
    try:
        path = _path(config)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return _without_a_name(system), noted
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        noted = _left_by_the_last(os.pread(lock, _SIZE, 0), system)
        _empty(lock)
        memory = _map(path)
    except OSError:
        os.close(lock)
        return _without_a_name(system), noted
    return Ledger(memory, system, path, lock), noted


def entries_of(descriptor: int, mark: bytes) -> list[Entry]:
    """Whom the daemon with that mark noted in the memory behind a descriptor; nobody once another daemon
    has taken over, which looks after them then."""
    content = os.pread(descriptor, _SIZE, 0)
    if len(content) < _HEAD.size or _HEAD.unpack_from(content)[2] != mark:
        return []
    return list(_entries(content))


def _left_by_the_last(content: bytes, system: System) -> list[Entry]:
    if not _is_of_this_boot(content, system):
        return []
    now = system.boottime()
    return [entry for entry in _entries(content) if _is_possible(entry, now)]


def _empty(descriptor: int) -> None:
    """Make it as long as a ledger is, with nothing in it but room for the head."""
    os.ftruncate(descriptor, 0)
    os.ftruncate(descriptor, _SIZE)
    _give_room(descriptor, 0)


def _give_room(descriptor: int, offset: int) -> None:
    """Have the file system give `ROOM` bytes where there are none yet. Raises OSError when it is full."""
    if descriptor >= 0 and os.pwrite(descriptor, bytes(ROOM), offset) < ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _without_a_name(system: System) -> Ledger:
    """A ledger that the next daemon does not find, but a guardian does if memory can be shared at all."""
    descriptor = -1
    try:
        descriptor = _nameless()
        _empty(descriptor)
        return Ledger(mmap.mmap(descriptor, _SIZE), system, descriptor=descriptor)
    except OSError:
        if descriptor >= 0:
            os.close(descriptor)
        return Ledger(mmap.mmap(-1, _SIZE), system)


def _nameless() -> int:
    if IS_LINUX:
        return os.memfd_create("kahi-children")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def _map(path: str) -> mmap.mmap:
    """The file as memory; opened anew, since a mapping would keep the lock."""
    fd = _open(path)
    try:
        return mmap.mmap(fd, _SIZE)
    finally:
        os.close(fd)


def left_of(entries: Iterable[Entry], table: Iterable[ProcessEntry]) -> dict[Entry, list[int]]:
    """Who of those that were noted, and of their sessions and groups, is still there."""
    by_pid: dict[int, ProcessEntry] = {}
    members: dict[int, set[int]] = {}
    for process in table:
        if not process.zombie:
            by_pid[process.pid] = process
            for leader in (process.group, process.session):
                members.setdefault(leader, set()).add(process.pid)
    found: dict[Entry, list[int]] = {}
    for entry in entries:
        leader = by_pid.get(entry.pid)
        if leader is not None and leader.started > entry.at + CLOCK_TICK:
            # Somebody else has the pid now.
            continue
        if entry.pid in members:
            found[entry] = sorted(members[entry.pid])
    return found


def _entries(content: bytes) -> Iterator[Entry]:
    for place in range(_ENTRY.size, len(content) - _ENTRY.size + 1, _ENTRY.size):
        pid, at, name = _ENTRY.unpack_from(content, place)
        if pid:
            yield Entry(pid, at, name.rstrip(b"\0").decode("utf-8", "replace"))


def _is_possible(entry: Entry, now: float) -> bool:
    """Whether there can have been such a child: signals are sent to it, and the file may be damaged."""
    return 1 < entry.pid <= _LAST_PID and 0 <= entry.at <= now


def _is_of_this_boot(content: bytes, system: System) -> bool:
    """Whether it is known to have been written since the system booted: before, pids were others'."""
    present = system.boot_id().encode()
    if len(content) < _HEAD.size or not present:
        return False
    magic, boot_id, _ = _HEAD.unpack_from(content)
    return magic == _MAGIC and boot_id.rstrip(b"\0") == present


def _path(config: str) -> str:
    """The file for a configuration, in a directory that nobody else can write to."""
    name = hashlib.sha256(os.path.realpath(config).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return os.path.join(_directory(), f"{name}.children")


def _directory() -> str:
    uid = os.geteuid()
    if uid == 0 and os.path.isdir("/run"):
        directory = "/run/kahi"
    elif os.environ.get("XDG_RUNTIME_DIR"):
        directory = os.path.join(os.environ["XDG_RUNTIME_DIR"], "kahi")
    else:
        directory = os.path.join(tempfile.gettempdir(), f"kahi-{uid}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o022:
        raise PermissionError(f"{directory} is not ours alone")
    return directory
