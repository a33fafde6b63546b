"""One output stream of one process, as the event loop sees it.

The stream outlives the children that write to it: its offset counts all bytes since the daemon found
its log, over restarts, rotations and clears. The loop reads counters that the data plane advances,
and asks the plane for everything else through its queue.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from kahi.definition import StreamSettings
from kahi.errors import SpawnError
from kahi.output.channel import Channel, Tap
from kahi.output.logfile import LogFile

if TYPE_CHECKING:
    from kahi.output.plane import DataPlane

READ_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Whose output it is: process, group, and ``stdout`` or ``stderr``."""

    name: str
    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class LogRead:
    """A piece of a log: ``offset`` is that after its last byte, ``missed`` what is gone before it."""

    data: bytes
    offset: int
    missed: int = 0


class Follower:
    """Somebody who wants to know when a stream has grown, until it is closed."""

    __slots__ = ("_stream", "wake")

    def __init__(self, stream: OutputStream, wake: Callable[[], None]) -> None:
        self._stream = stream
        self.wake = wake

    def close(self) -> None:
        """Stop being woken. Closing twice is fine."""
        self._stream.unfollow(self)


class OutputStream:
    """A stream of a process. All methods belong to the event-loop thread and do not block."""

    __slots__ = ("_channel", "_followers", "_opened", "_plane", "_settings", "key")

    def __init__(self, key: StreamKey, settings: StreamSettings, plane: DataPlane) -> None:
        self.key = key
        self._plane = plane
        self._channel = Channel(key, settings)
        self._followers: tuple[Follower, ...] = ()
        self._opened = False
        self._settings = settings

    @property
    def logfile(self) -> str:
        """The path of its log file, "" when it has none."""
        return self._channel.logfile

    @property
    def offset(self) -> int:
        """The offset after the last byte that was delivered."""
        return self._channel.offset

    @property
    def total_bytes(self) -> int:
        """Bytes printed since the daemon started."""
        return self._channel.total_bytes

    @property
    def lost_bytes(self) -> int:
        """Bytes that the log file did not take."""
        return self._channel.lost_bytes

    def open(self, done: Callable[[SpawnError | None], None]) -> None:
        """Open the destination; ``done`` gets the reason when that fails. At once when it is open."""
        if self._opened:
            done(None)
            return

        def opened(error: SpawnError | None) -> None:
            self._opened = error is None
            done(error)

        self._plane.order(lambda: self._plane.open_channel(self._channel, opened))

    def attach(self, fd: int, pid: int) -> None:
        """Pump what a child writes; takes over the read end of its pipe.

        The pipe of an earlier child stays until nobody holds its other end any more.
        """
        self._plane.order(lambda: self._plane.attach(self._channel, fd, pid))

    def feed(self, data: bytes) -> None:
        """Deliver ``data`` as if it had been printed. From any thread."""
        self._plane.feed(self._channel, data)

    def tap(self, tap: Tap | None) -> None:
        """Have ``tap`` called with what children print, before it is changed in any way; None ends that.

        It is called on the event loop, in order, and before the exit of the child is told. For
        messages, not for logs: of a flood it gets the beginning of each read.
        """
        self._plane.order(lambda: self._plane.set_tap(self._channel, tap))

    def drain(self, done: Callable[[], None], *, limit: float) -> None:
        """``done`` once everything readable now was delivered, or after ``limit`` seconds."""
        pending = True

        def finish() -> None:
            nonlocal pending
            if pending:
                pending = False
                timer.cancel()
                done()

        timer = self._plane.loop.call_later(limit, finish)
        self._plane.order(lambda: self._plane.drain(self._channel, finish))

    def reconfigure(self, settings: StreamSettings) -> None:
        """Take over other settings; another destination is opened at the next start."""
        before, self._settings = self._settings, settings
        if _destination(before) != _destination(settings):
            self._opened = False
        self._plane.order(lambda: self._plane.reconfigure(self._channel, settings))

    async def clear(self) -> None:
        """Empty its log."""
        await self._plane.ask(lambda: self._plane.clear(self._channel))

    def retire(self) -> None:
        """The process is gone for good: release memory, close the file when its pipes have ended."""
        self._plane.order(lambda: self._plane.retire(self._channel))

    def follow(self, wake: Callable[[], None]) -> Follower:
        """Have ``wake`` called whenever the stream has grown, many times for once if need be."""
        follower = Follower(self, wake)
        self._followers = (*self._followers, follower)
        self._channel.on_growth = self._wake_followers
        return follower

    def unfollow(self, follower: Follower) -> None:
        """Forget a follower; one that is gone already is ignored."""
        self._followers = tuple(f for f in self._followers if f is not follower)
        if not self._followers:
            self._channel.on_growth = None

    def _wake_followers(self) -> None:
        for follower in self._followers:
            follower.wake()

    async def read(self, offset: int, length: int) -> LogRead:
        """At most ``length`` bytes from ``offset`` on; negative counts from the end.

        Reading starts later when the beginning is gone; ``missed`` says by how much.
        """
        file = self._channel.file
        if file is None or not file.rotates:
            return self._read_ring(offset, length)
        return await anyio.to_thread.run_sync(self._read_file, file, offset, length)

    def _read_ring(self, offset: int, length: int) -> LogRead:
        ring = self._channel.ring
        if ring is None:
            return LogRead(b"", self._channel.offset)
        wanted = offset if offset >= 0 else max(0, ring.end + offset)
        begin, data = ring.read(wanted, length)
        missed = max(0, begin - wanted) if offset >= 0 else 0
        return LogRead(data, begin + len(data), missed)

    def _read_file(self, file: LogFile, offset: int, length: int) -> LogRead:
        """Read from the log and its rotated predecessors; on a worker thread.

        A rotation while the files are opened would shift them: then they are opened once more.
        """
        for _ in range(READ_ATTEMPTS):
            generation = file.generation
            end = self._channel.offset
            wanted = offset if offset >= 0 else max(0, end + offset)
            result = _read_files(file.path, file.backups, end, file.size, wanted, length)
            if generation == file.generation:
                return result if offset >= 0 else LogRead(result.data, result.offset)
        return LogRead(b"", self._channel.offset)


def _read_files(path: str, backups: int, end: int, size: int, wanted: int, length: int) -> LogRead:
    wanted = min(wanted, end)
    pieces: list[tuple[int, str, int]] = []
    begin = end - size
    pieces.append((begin, path, size))
    for number in range(1, backups + 1):
        if begin <= wanted or begin <= 0:
            break
        try:
            older = os.stat(f"{path}.{number}").st_size
        except OSError:
            break
        begin -= older
        pieces.append((begin, f"{path}.{number}", older))
    oldest = max(0, pieces[-1][0])
    missed = max(0, oldest - wanted)
    at = max(wanted, oldest)
    data = bytearray()
    for first, name, count in reversed(pieces):
        if len(data) >= length or at >= first + count:
            continue
        with open(name, "rb") as source:
            source.seek(at - first)
            data += source.read(min(length - len(data), first + count - at))
        at = first + count
    begin_read = max(wanted, oldest)
    return LogRead(bytes(data), begin_read + len(data), missed)


def _destination(settings: StreamSettings) -> StreamSettings:
    """What has to be opened anew when it changes."""
    return dataclasses.replace(settings, maxbytes=0, backups=0, buffer_maxbytes=0)


def future_callback(future: asyncio.Future[None]) -> Callable[[], None]:
    """A callback that resolves ``future`` unless somebody gave up on it."""

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    return resolve
