"""The data plane's side of one output stream: what is done to its bytes, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from kahi.definition import StreamSettings
from kahi.output.ansi import AnsiStripper
from kahi.output.capture import Capture
from kahi.output.filewriter import FileWriter
from kahi.output.logfile import LogFile
from kahi.output.outlets import Outlet, PluginSink
from kahi.output.ring import Ring

if TYPE_CHECKING:
    from kahi.output.lane import Lane
    from kahi.output.pipe import Pipe
    from kahi.output.streamkey import StreamKey


Tap = Callable[[int, bytes], None]
"""Called on the event loop with the pid of a child and what it printed, as it printed it."""


class Channel:
    """Owned by the data plane, by one of its threads at a time; the event loop only reads its numbers."""

    __slots__ = (
        "_lost_before",
        "_passed",
        "capture",
        "current",
        "followed",
        "growth_told",
        "has_failed",
        "key",
        "lane",
        "log_setting",
        "logfile",
        "on_growth",
        "outlets",
        "pid",
        "pipes",
        "places",
        "retired",
        "ring",
        "settings",
        "sinks",
        "stripper",
        "tap",
        "total_bytes",
        "writer",
    )

    def __init__(self, key: StreamKey, settings: StreamSettings, on_growth: Callable[[], None]) -> None:
        self.key = key
        self.settings = settings
        self.on_growth = on_growth
        """Passes on to the event loop that there is more to read."""
        self.logfile = ""
        """The path of its log file; ``log_setting`` is what it was opened for."""
        self.log_setting = ""
        self.total_bytes = 0
        self._passed = 0
        self._lost_before = 0
        self.pipes: list[Pipe] = []
        self.pid = 0
        """Whose output is being delivered."""
        self.outlets: tuple[Outlet, ...] = ()
        self.sinks: tuple[PluginSink, ...] = ()
        self.writer: FileWriter | None = None
        self.ring: Ring | None = None
        self.tap: Callable[[int, bytes], None] | None = None
        """Hears what comes from the pipes before it is changed in any way."""
        self.capture: Capture | None = None
        self.stripper: AnsiStripper | None = None
        self.places: frozenset[Hashable] = frozenset()
        """What may hold it up: channels that have one of them in common hang together."""
        self.current: Outlet | None = None
        """The outlet that has the bytes right now."""
        self.lane: Lane | None = None
        """Where it waits because its destination does not take data."""
        self.followed = False
        self.growth_told = False
        self.retired = False
        self.has_failed = False
        """An error of our own was logged; the next one like it is not."""

    @property
    def file(self) -> LogFile | None:
        """The log that can be read back, if it has one."""
        writer = self.writer
        return writer.file if writer is not None and writer.file.rotates else None

    @property
    def offset(self) -> int:
        """The offset after the last byte of its log."""
        file = self.file
        return self._passed if file is None else file.end

    @property
    def lost_bytes(self) -> int:
        """Bytes that no log file took."""
        return self._lost_before + (0 if self.writer is None else self.writer.lost)

    def deliver(self, data: bytes | memoryview) -> None:
        """Pass on what was printed. A piece for a file alone is not even copied."""
        self.total_bytes += len(data)
        if self.capture is not None:
            data = self.capture.feed(bytes(data))
        if self.stripper is not None:
            data = self.stripper.strip(bytes(data))
        if data:
            self._pass_on(data)

    def flush(self) -> None:
        """Pass on what was held back for the rest of a mark, an escape sequence or a line."""
        rest = b"" if self.capture is None else self.capture.finish()
        if self.stripper is not None:
            rest = self.stripper.strip(rest) + self.stripper.finish()
        if rest:
            self._pass_on(rest)
        for outlet in self.outlets:
            self.current = outlet
            outlet.flush()
        self.current = None

    def _pass_on(self, data: bytes | memoryview) -> None:
        if len(self.outlets) == 1 and self.writer is not None:
            self.current = self.writer
            self.writer.write(data)
        else:
            piece = bytes(data)
            for outlet in self.outlets:
                self.current = outlet
                outlet.write(piece)
        self.current = None
        self._passed += len(data)
        self.tell_growth()

    def tell_growth(self) -> None:
        """Let followers know, once until they have been told."""
        if self.followed and not self.growth_told:
            self.growth_told = True
            self.on_growth()

    def close_outlets(self, *kept: Outlet | None) -> None:
        """Flush, and let go of everything but the pipes, the sinks and what is ``kept``."""
        self.flush()
        for outlet in self.outlets:
            if outlet not in self.sinks and outlet not in kept:
                self.current = outlet
                outlet.close()
        self.current = None
        if self.writer not in kept:
            self._passed, self._lost_before = self.offset, self.lost_bytes
        self.outlets = self.sinks
        self.writer = None
        self.ring = None
        self.capture = None
        self.stripper = None

    def close_sinks(self) -> None:
        """Tell the sinks of plugins that no more comes."""
        sinks, self.sinks, self.outlets = self.sinks, (), ()
        for sink in sinks:
            self.current = sink
            sink.close()
        self.current = None

    def retry(self) -> None:
        """Try again to write what the log file refused."""
        if self.writer is not None:
            self.writer.retry()
            self.tell_growth()

    @property
    def is_moved(self) -> bool:
        """Whether the path of its log file leads elsewhere by now. Raises OSError."""
        file = self.file
        return file is not None and file.is_moved()

    def reopen(self) -> None:
        """Open the log file anew. Raises OSError; what was open stays open then."""
        if self.writer is not None:
            self.writer.reopen()
            self.places |= {self.writer.file.device}

    def clear(self) -> None:
        """Empty the log. Raises OSError."""
        if self.ring is not None:
            self.ring.clear()
        if self.writer is not None:
            self.writer.clear()
