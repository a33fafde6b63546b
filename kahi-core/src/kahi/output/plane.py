"""The data plane: one thread that moves what children print to where it is to go.

It owns the pipes and the log files. The event loop orders things through a queue and is told of
results through another; a flood of output or a slow disk is felt here and nowhere else. The thread
sleeps in its poller until there is work.

A stream that only goes to a file takes the short way: one buffer, one read, one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kahi.definition import StreamSettings
from kahi.errors import SpawnError
from kahi.output.ansi import AnsiStripper
from kahi.output.autolog import make_auto_log
from kahi.output.channel import Channel, Tap
from kahi.output.console import Console, Format, LineFormatter
from kahi.output.logfile import LogFile
from kahi.output.ring import Ring
from kahi.output.stream import OutputStream, StreamKey, future_callback
from kahi.system import System

log = logging.getLogger(__name__)

BUFFER_SIZE: Final = 256 * 1024
READS_PER_TURN: Final = 4
"""Buffers read from one pipe before the others get their turn."""

DRAIN_BYTES: Final = 4 * 1024 * 1024
"""What a drain reads at most: more than a pipe holds, so only a grandchild still writing reaches it."""


TAP_LIMIT: Final = 64 * 1024
"""What a tap gets of one read at most; no message that anybody listens for is that long."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What all streams share.

    Args:
        console_format: how lines are dressed for the daemon's stdout.
        auto_directory: where AUTO logs go, ``identifier`` is in their names.
    """

    console_format: Format = "json"
    auto_directory: str = ""
    identifier: str = "kahi"


Order = Callable[[], None]


class DataPlane:
    """Moves output. Made and ordered on the event-loop thread, works on its own."""

    def __init__(self, settings: OutputSettings, system: System, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        """The event loop that orders and is told."""
        self.console = Console()
        self._settings = settings
        self._system = system
        self._orders: deque[Order] = deque()
        self._news: deque[Callable[[], None]] = deque()
        self._awake = False
        self._reporting = False
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = system.pipe()
        system.set_nonblocking(self._wake_read)
        system.set_nonblocking(self._wake_write)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._files: set[LogFile] = set()
        self._channels: set[Channel] = set()
        self._thread = threading.Thread(target=self._run, name="kahi-output", daemon=True)

    # The event loop's side

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stream(self, key: StreamKey, settings: StreamSettings) -> OutputStream:
        """A new stream; nothing is opened before its ``open``."""
        return OutputStream(key, settings, self)

    def reopen(self) -> None:
        """Open all log files anew, as after somebody moved them."""
        self.order(self._reopen_files)

    def feed(self, channel: Channel, data: bytes) -> None:
        """Deliver bytes that did not come from a pipe. From any thread."""
        self.order(lambda: self._deliver(channel, data))

    async def close(self, limit: float) -> bool:
        """Deliver what there is and end; False when that took longer than ``limit`` seconds."""
        self.order(self._stop)
        step = 0.001
        waited = 0.0
        while self._thread.is_alive() and waited < limit:
            await asyncio.sleep(step)
            waited += step
            step = min(step * 2, 0.05)
        return not self._thread.is_alive()

    def order(self, order: Order) -> None:
        """Have ``order`` called on the data-plane thread, after all earlier ones. From any thread."""
        self._orders.append(order)
        if not self._awake:
            self._awake = True
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_write, b"\0")

    async def ask(self, order: Order) -> None:
        """Have ``order`` called on the data-plane thread, and wait until that is done."""
        future: asyncio.Future[None] = self.loop.create_future()

        def carry_out() -> None:
            try:
                order()
            finally:
                self._report(future_callback(future))

        self.order(carry_out)
        await future

    async def catch_up(self) -> None:
        """Wait until everything ordered so far was done, and told to whoever asked for it."""
        await self.ask(lambda: None)

    # The data plane's side

    def _run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._take_orders()
                elif key.fd in key.data.pipes:
                    # An order taken a moment ago may have closed it.
                    self._pump_safely(key.fd, key.data)
        self._finish()

    def _pump_safely(self, fd: int, channel: Channel) -> None:
        try:
            self._pump(fd, channel)
        except Exception:  # boundary: one stream must never end the thread of all
            log.exception("%s: reading its %s failed", channel.key.name, channel.key.stream)
            if fd in channel.pipes:
                self._end_pipe(fd, channel)

    def _take_orders(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        self._awake = False
        while self._orders:
            order = self._orders.popleft()
            try:
                order()
            except Exception:  # boundary: the thread must go on whatever one order does
                log.exception("an order to the data plane failed")

    def _report(self, news: Callable[[], None]) -> None:
        self._news.append(news)
        if not self._reporting:
            self._reporting = True
            try:
                self.loop.call_soon_threadsafe(self._tell)
            except RuntimeError:
                # The loop is closed already: nobody is left to be told.
                self._news.clear()

    def _tell(self) -> None:
        """On the event loop: what the data plane reported."""
        self._reporting = False
        while self._news:
            self._news.popleft()()

    def open_channel(self, channel: Channel, done: Callable[[SpawnError | None], None]) -> None:
        """Open where a channel's bytes go; on the data-plane thread."""
        error: SpawnError | None = None
        try:
            self._open_destination(channel)
        except OSError as failure:
            path = channel.logfile or channel.settings.logfile
            error = SpawnError("open log file", path, failure.errno or 0)
        self._report(lambda: done(error))

    def _open_destination(self, channel: Channel) -> None:
        ring = channel.ring
        self._close_destination(channel)
        settings, key = channel.settings, channel.key
        logfile = settings.logfile
        self._channels.add(channel)
        channel.stripper = AnsiStripper() if settings.strip_ansi else None
        if logfile == "":
            formatter = LineFormatter(
                key.name, key.stream, self._settings.console_format, self._system.wall_clock
            )
            channel.formatter = formatter
        elif logfile in ("/dev/stdout", "/dev/stderr"):
            channel.raw_console = 1 if logfile == "/dev/stdout" else 2
        elif logfile != "/dev/null":
            path = logfile
            if logfile == "AUTO":
                path = make_auto_log(
                    self._settings.auto_directory, key.name, key.stream, self._settings.identifier
                )
            channel.logfile = path
            channel.file = LogFile(path, settings.maxbytes, settings.backups)
            self._files.add(channel.file)
            channel.offset = max(channel.offset, channel.file.size)
        if channel.file is None and settings.buffer_maxbytes:
            channel.ring = ring or Ring(settings.buffer_maxbytes, channel.offset)

    def attach(self, channel: Channel, fd: int, pid: int) -> None:
        """Begin to pump a pipe; on the data-plane thread."""
        self._system.set_nonblocking(fd)
        channel.pipes.append(fd)
        channel.pids[fd] = pid
        self._selector.register(fd, selectors.EVENT_READ, channel)

    def set_tap(self, channel: Channel, tap: Tap | None) -> None:
        """Pass on what comes from the pipes of a channel; on the data-plane thread."""
        channel.tap = tap

    def _pump(self, fd: int, channel: Channel) -> None:
        for _ in range(READS_PER_TURN):
            try:
                count = os.readv(fd, [self._buffer])
            except BlockingIOError:
                return
            except OSError:
                count = 0
            if count == 0:
                self._end_pipe(fd, channel)
                return
            self._take(fd, channel, self._view[:count])
            if count < BUFFER_SIZE:
                return

    def _end_pipe(self, fd: int, channel: Channel) -> None:
        self._selector.unregister(fd)
        self._system.close(fd)
        channel.pipes.remove(fd)
        channel.pids.pop(fd, None)
        if not channel.pipes:
            self._flush(channel)

    def _take(self, fd: int, channel: Channel, data: memoryview) -> None:
        """Deliver what was read from a pipe, and pass it on where somebody listens."""
        if channel.tap is not None:
            tap, pid, heard = channel.tap, channel.pids[fd], bytes(data[:TAP_LIMIT])
            self._report(lambda: tap(pid, heard))
        self._deliver(channel, data)

    def _deliver(self, channel: Channel, data: bytes | memoryview) -> None:
        channel.total_bytes += len(data)
        if channel.stripper is not None:
            data = channel.stripper.strip(data)
        accepted = len(data)
        if channel.file is not None:
            accepted = self._write_file(channel, channel.file, data)
        elif channel.formatter is not None:
            lines = channel.formatter.feed(data)
            if lines:
                self.console.write(lines)
        elif channel.raw_console >= 0:
            Console(channel.raw_console).write(bytes(data))
        if channel.ring is not None:
            channel.ring.append(data)
        channel.offset += accepted
        if channel.on_growth is not None:
            self._report(channel.on_growth)

    def _write_file(self, channel: Channel, file: LogFile, data: bytes | memoryview) -> int:
        """Write to a log file; returns how much it took. What it did not is counted."""
        try:
            written = file.write(data)
        except OSError as error:
            written: int = getattr(error, "characters_written", 0)
            channel.lost_bytes += len(data) - written
            if channel.writing:
                channel.writing = False
                log.error("%s: cannot write %s: %s", channel.key.name, file.path, error.strerror)
        else:
            if not channel.writing:
                channel.writing = True
                log.warning(
                    "%s: %s takes data again, %d bytes were lost",
                    channel.key.name,
                    file.path,
                    channel.lost_bytes,
                )
        return written

    def _flush(self, channel: Channel) -> None:
        """Deliver what was held back for the rest of a line or of an escape sequence."""
        if channel.stripper is not None:
            held = channel.stripper.finish()
            if held:
                channel.stripper, stripper = None, channel.stripper
                self._deliver(channel, held)
                channel.total_bytes -= len(held)
                channel.stripper = stripper
        if channel.formatter is not None:
            rest = channel.formatter.flush()
            if rest:
                self.console.write(rest)

    def drain(self, channel: Channel, done: Callable[[], None]) -> None:
        """Deliver everything that can be read now; on the data-plane thread."""
        for fd in tuple(channel.pipes):
            before = channel.total_bytes
            while fd in channel.pipes and channel.total_bytes - before < DRAIN_BYTES:
                try:
                    count = os.readv(fd, [self._buffer])
                except BlockingIOError:
                    break
                except OSError:
                    count = 0
                if count == 0:
                    self._end_pipe(fd, channel)
                    break
                self._take(fd, channel, self._view[:count])
        self._flush(channel)
        self._report(done)

    def reconfigure(self, channel: Channel, settings: StreamSettings) -> None:
        """Take over other settings; on the data-plane thread."""
        channel.settings = settings
        if channel.file is not None:
            channel.file.maxbytes = settings.maxbytes
            channel.file.backups = settings.backups
        if channel.ring is not None:
            channel.ring.resize(settings.buffer_maxbytes)
        elif channel.file is None and settings.buffer_maxbytes:
            channel.ring = Ring(settings.buffer_maxbytes, channel.offset)

    def clear(self, channel: Channel) -> None:
        """Empty the log of a channel; on the data-plane thread."""
        if channel.ring is not None:
            channel.ring.clear()
        if channel.file is not None:
            try:
                channel.file.clear()
            except OSError as error:
                log.error("cannot clear %s: %s", channel.file.path, error.strerror)

    def retire(self, channel: Channel) -> None:
        """Close what a channel has; on the data-plane thread."""
        for fd in tuple(channel.pipes):
            self._end_pipe(fd, channel)
        self._close_destination(channel)
        self._channels.discard(channel)

    def _close_destination(self, channel: Channel) -> None:
        if channel.file is not None:
            self._files.discard(channel.file)
        channel.close()

    def _reopen_files(self) -> None:
        for file in self._files:
            try:
                file.open()
            except OSError as error:
                log.error("cannot reopen %s: %s", file.path, error.strerror)

    def _stop(self) -> None:
        self._stopping = True

    def _finish(self) -> None:
        while self._orders:
            self._orders.popleft()()
        for channel in tuple(self._channels):
            self.drain(channel, lambda: None)
            self.retire(channel)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
