"""The data plane's side of one output stream: where its bytes go, and how many there were."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kahi.definition import StreamSettings
from kahi.output.ansi import AnsiStripper
from kahi.output.logfile import LogFile
from kahi.output.ring import Ring

if TYPE_CHECKING:
    from kahi.output.console import LineFormatter
    from kahi.output.stream import StreamKey


Tap = Callable[[int, bytes], None]
"""Called on the event loop with the pid of a child and what it printed, as it printed it."""


class Channel:
    """Owned by the data-plane thread; the event loop only reads its numbers."""

    __slots__ = (
        "file",
        "formatter",
        "key",
        "logfile",
        "lost_bytes",
        "offset",
        "on_growth",
        "pids",
        "pipes",
        "raw_console",
        "ring",
        "settings",
        "stripper",
        "tap",
        "total_bytes",
        "writing",
    )

    def __init__(self, key: StreamKey, settings: StreamSettings) -> None:
        self.key = key
        self.settings = settings
        self.logfile = ""
        self.offset = 0
        self.total_bytes = 0
        self.lost_bytes = 0
        self.writing = True
        """False while the log file refuses data, so that it is said once."""
        self.pipes: list[int] = []
        self.pids: dict[int, int] = {}
        """The child at the other end of each pipe."""
        self.file: LogFile | None = None
        self.ring: Ring | None = None
        self.formatter: LineFormatter | None = None
        self.raw_console = -1
        self.stripper: AnsiStripper | None = None
        self.on_growth: Callable[[], None] | None = None
        self.tap: Tap | None = None

    def close(self) -> None:
        """Release everything but the pipes."""
        if self.file is not None:
            self.file.close()
        self.file = None
        self.ring = None
        self.formatter = None
        self.raw_console = -1
