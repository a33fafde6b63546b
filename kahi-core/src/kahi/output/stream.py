"""One output stream of one process, as the event loop sees it.

The stream outlives the children that write to it: its offset counts all bytes since the daemon found
its log, over restarts, rotations and clears. The loop reads counters that the data plane advances,
and asks the plane for everything else through its queue.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kahi.definition import StreamSettings
from kahi.errors import LogError, SpawnError
from kahi.output.channel import Channel, Tap
from kahi.output.logreader import LogRead, read_log
from kahi.output.mail import Mail
from kahi.output.streamkey import StreamKey

if TYPE_CHECKING:
    from kahi.output.plane import DataPlane
    from kahi.output.pump import Pump

READERS: Final = 8
"""Logs that are read from disk at once; a disk that hangs holds up no other work than that."""

CLEAR_LIMIT: Final = 5.0
"""Seconds that clearing a log is waited for."""

_readers: anyio.CapacityLimiter | None = None


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

    __slots__ = ("_fed", "_followers", "_opened", "_plane", "_settings", "channel", "key")

    def __init__(self, key: StreamKey, settings: StreamSettings, plane: DataPlane) -> None:
        self.key = key
        self.channel = Channel(key, settings, lambda: plane.report(self._wake_followers))
        """The data plane's side of it."""
        self._plane = plane
        self._settings = settings
        self._followers: tuple[Follower, ...] = ()
        self._opened = False
        self._fed = 0

    @property
    def logfile(self) -> str:
        """The path of its log file, "" when it has none."""
        return self.channel.logfile

    @property
    def offset(self) -> int:
        """The offset after the last byte that was delivered."""
        return self.channel.offset

    @property
    def total_bytes(self) -> int:
        """Bytes printed since the daemon started."""
        return self.channel.total_bytes

    @property
    def lost_bytes(self) -> int:
        """Bytes that the log file did not take."""
        return self.channel.lost_bytes

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were fed and not delivered yet."""
        return self._fed - self.channel.total_bytes

    @property
    def retired(self) -> bool:
        """Whether nothing will ever come any more."""
        return self.channel.retired

    def open(self, done: Callable[[SpawnError | None], None]) -> None:
        """Open the destination; ``done`` gets the reason when that fails. At once when it is open.

        A log file that was moved or removed since then is made anew.
        """
        channel = self.channel
        if self._opened:
            self._plane.order(channel, _reopen_if_moved(channel))
            done(None)
            return

        destination = _destination(self._settings)

        def opened(error: SpawnError | None) -> None:
            # Another destination may have been named meanwhile.
            self._opened = error is None and destination == _destination(self._settings)
            done(error)

        def carry_out(pump: Pump) -> None:
            error = pump.open(channel)
            self._plane.report(lambda: opened(error))

        self._plane.order(channel, carry_out)

    def attach(self, fd: int, pid: int) -> None:
        """Pump what a child writes; takes over the read end of its pipe.

        The pipe of an earlier child stays until nobody holds its other end any more.
        """
        channel = self.channel
        self._plane.order(channel, lambda pump: pump.attach(channel, fd, pid))

    def feed(self, data: bytes) -> None:
        """Deliver ``data`` as if it had been printed. From any thread, but from one at a time."""
        self._fed += len(data)
        channel = self.channel
        self._plane.order(channel, lambda _: channel.deliver(data))

    def tap(self, tap: Tap | None) -> None:
        """Have ``tap`` called with what children print, before it is changed in any way; None ends that.

        It is called on the event loop, in order, and before the exit of the child is told. For
        messages, not for logs: of a flood it gets the beginning of each read, and not every read.
        """
        channel = self.channel
        listener = None if tap is None else Mail(tap, self._plane.report)

        def carry_out(_: Pump) -> None:
            channel.tap = None if listener is None else listener.post

        self._plane.order(channel, carry_out)

    def drain(self, done: Callable[[], None], *, limit: float) -> None:
        """``done`` once everything readable now was delivered, or after ``limit`` seconds."""
        pending = True
        channel = self.channel

        def finish() -> None:
            nonlocal pending
            if pending:
                pending = False
                timer.cancel()
                done()

        def carry_out(pump: Pump) -> None:
            try:
                pump.drain(channel)
            finally:
                self._plane.report(finish)

        timer = self._plane.loop.call_later(limit, finish)
        self._plane.order(channel, carry_out)

    def reconfigure(self, settings: StreamSettings) -> None:
        """Take over other settings; another destination is opened at the next start."""
        before, self._settings = self._settings, settings
        if _destination(before) != _destination(settings):
            self._opened = False
        channel = self.channel
        self._plane.order(channel, lambda pump: pump.adjust(channel, settings))

    async def clear(self) -> None:
        """Empty its log.

        Raises:
            LogError: that is impossible, or its disk does not answer.
        """
        channel = self.channel
        await self._find()
        try:
            with anyio.fail_after(CLEAR_LIMIT):
                await self._plane.ask(channel, lambda _: channel.clear())
        except TimeoutError:
            raise LogError(f"{self.key.name}: {self.logfile} does not answer") from None
        except OSError as error:
            raise LogError(f"{self.key.name}: cannot clear {self.logfile}: {error.strerror}") from None

    def retire(self) -> None:
        """The process is gone for good: release memory, close the file when its pipes have ended."""
        channel = self.channel
        self._plane.order(channel, lambda pump: pump.retire(channel))
        self._plane.order(channel, lambda _: self._plane.report(self._wake_followers))

    def follow(self, wake: Callable[[], None]) -> Follower:
        """Have ``wake`` called whenever the stream has grown, many times for once if need be."""
        follower = Follower(self, wake)
        self._followers = (*self._followers, follower)
        self.channel.followed = True
        return follower

    def unfollow(self, follower: Follower) -> None:
        """Forget a follower; one that is gone already is ignored."""
        self._followers = tuple(f for f in self._followers if f is not follower)
        self.channel.followed = bool(self._followers)

    def _wake_followers(self) -> None:
        # First this: what comes from here on is told again.
        self.channel.growth_told = False
        for follower in self._followers:
            follower.wake()

    async def read(self, offset: int, length: int) -> LogRead:
        """At most ``length`` bytes from ``offset`` on; negative counts from the end.

        Reading starts later when the beginning is gone; ``missed`` says by how much.
        """
        await self._find()
        channel = self.channel
        file, ring = channel.file, channel.ring
        if file is not None:
            if offset == file.end:
                # Whoever follows it asks once more after each piece, and the disk need not be asked.
                return LogRead(b"", offset)
            return await anyio.to_thread.run_sync(read_log, file, offset, length, limiter=_limiter())
        if ring is not None:
            return ring.read(offset, length)
        end = channel.offset
        return LogRead(b"", end, missed=max(0, end - offset) if offset >= 0 else 0, ahead=offset > end)

    async def _find(self) -> None:
        """Open a log file that an earlier run of the daemon left, when the process was never started."""
        if self._opened or not self._settings.logfile.startswith("/"):
            return
        channel = self.channel
        found: list[SpawnError | None] = []
        destination = _destination(self._settings)
        with contextlib.suppress(TimeoutError), anyio.fail_after(CLEAR_LIMIT):
            await self._plane.ask(channel, lambda pump: found.append(pump.open(channel, create=False)))
        if found == [None] and destination == _destination(self._settings):
            self._opened = True


def _destination(settings: StreamSettings) -> StreamSettings:
    """What has to be opened anew when it changes."""
    return dataclasses.replace(settings, maxbytes=0, backups=0, buffer_maxbytes=0)


def _reopen_if_moved(channel: Channel) -> Callable[[Pump], None]:
    def carry_out(pump: Pump) -> None:
        pump.reopen(channel, only_if_moved=True)

    return carry_out


def _limiter() -> anyio.CapacityLimiter:
    global _readers
    if _readers is None:
        _readers = anyio.CapacityLimiter(READERS)
    return _readers
