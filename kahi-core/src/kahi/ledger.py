"""A list of the children there are, kept where it outlives the daemon.

It is a piece of shared memory, in a file where one can be had: the daemon notes each child with a
few stores, no system call and no lock; the kernel keeps what it noted whatever becomes of it. Who
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
        descriptor: the open file, locked; or that of the memory without a name, -1 when it has none.
        old: places of entries that an earlier daemon has left in it.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        system: System,
        path: str = "",
        descriptor: int = -1,
        old: Iterable[int] = (),
    ) -> None:
        self._memory = memory
        self._system = system
        self._path = path
        self._descriptor = descriptor
        self._places: dict[int, int] = {}
        self._free = list(range(CAPACITY, 0, -1))
        self.mark = os.urandom(MARK_SIZE)
        """Tells what this daemon noted from what the next one does, in the same place."""
        # First of all: whoever guards the children of an earlier daemon sees that this one took over.
        _HEAD.pack_into(memory, 0, _MAGIC, system.boot_id().encode(), self.mark)
        for place in old:
            _ENTRY.pack_into(memory, place, 0, 0.0, b"")

    def note(self, pid: int, name: str) -> None:
        """There is a child ``pid``."""
        if self._free:
            place = self._places[pid] = self._free.pop()
            text = name.encode("utf-8", "replace")
            _ENTRY.pack_into(self._memory, place * _ENTRY.size, pid, self._system.boottime(), text)

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
    try:
        path = _path(config)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return _without_a_name(system), []
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_new = os.fstat(lock).st_size == 0
        os.ftruncate(lock, _SIZE)
        memory = _map(path)
    except OSError:
        os.close(lock)
        return _without_a_name(system), []
    old = {} if is_new else dict(_entries(memory))
    noted = [*old.values()] if _is_of_this_boot(memory, system) else []
    now = system.boottime()
    noted = [entry for entry in noted if _is_possible(entry, now)]
    return Ledger(memory, system, path, lock, old), noted


def entries_of(descriptor: int, mark: bytes) -> list[Entry]:
    """Whom the daemon with that mark noted in the memory behind a descriptor; nobody once another daemon
    has taken over, which looks after them then."""
    with mmap.mmap(descriptor, _SIZE) as memory:
        found = [entry for _, entry in _entries(memory)]
        _, _, present = _HEAD.unpack_from(memory)
    return found if present == mark else []


def _without_a_name(system: System) -> Ledger:
    """A ledger that the next daemon does not find, but a guardian does if memory can be shared at all."""
    try:
        descriptor = _nameless()
    except OSError:
        return Ledger(mmap.mmap(-1, _SIZE), system)
    os.ftruncate(descriptor, _SIZE)
    return Ledger(mmap.mmap(descriptor, _SIZE), system, descriptor=descriptor)


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


def _entries(memory: mmap.mmap) -> Iterator[tuple[int, Entry]]:
    """Where each entry stands, and what it says."""
    for place in range(_ENTRY.size, _SIZE, _ENTRY.size):
        pid, at, name = _ENTRY.unpack_from(memory, place)
        if pid:
            yield place, Entry(pid, at, name.rstrip(b"\0").decode("utf-8", "replace"))


def _is_possible(entry: Entry, now: float) -> bool:
    """Whether there can have been such a child: signals are sent to it, and the file may be damaged."""
    return 1 < entry.pid <= _LAST_PID and 0 <= entry.at <= now


def _is_of_this_boot(memory: mmap.mmap, system: System) -> bool:
    magic, boot_id, _ = _HEAD.unpack_from(memory)
    return magic == _MAGIC and boot_id.rstrip(b"\0") == system.boot_id().encode()


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
