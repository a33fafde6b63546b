"""Writing to a log file that may refuse data: hold what fits in memory, try again, count the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kahi.output.logfile import LogFile
from kahi.system import System

HELD: Final = 64 * 1024
"""Bytes that are held for a file that refuses data; the oldest lines give way."""

RETRY: Final = 1.0
"""Seconds after which a file that refused data is tried again."""


class FileWriter:
    """The outlet of a stream to its log file.

    Args:
        on_trouble: told what is wrong when the file begins to refuse data, and "" when that is over.
    """

    __slots__ = (
        "_dropped",
        "_held",
        "_on_trouble",
        "_refuses",
        "_system",
        "_whole_line",
        "file",
        "lost",
        "retry_at",
    )

    def __init__(self, file: LogFile, system: System, on_trouble: Callable[[str], None]) -> None:
        self.file = file
        self.lost = 0
        """Bytes that never came into the file."""
        self.retry_at: float | None = None
        """When to call `retry` (monotonic); None while the file takes data."""
        self._system = system
        self._on_trouble = on_trouble
        self._refuses = False
        self._held = bytearray()
        self._dropped = 0
        self._whole_line = True

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``; what the file does not take is held or counted."""
        if self._refuses:
            self._hold(data)
            if self._system.monotonic() >= (self.retry_at or 0.0):
                self.retry()
            return
        try:
            self.file.write(data)
        except OSError as error:
            self._begin_refusal(error, data)
        else:
            # A read from a full pipe ends in the middle of a line.
            self._whole_line = not data or data[-1] == 0x0A

    def retry(self) -> None:
        """Try to write what is held, after a line that tells how much is missing before it."""
        if not self._refuses:
            return
        marker = self._marker()
        pending = marker + self._held
        try:
            self.file.write(bytes(pending))
        except OSError as error:
            written: int = getattr(error, "characters_written", 0)
            if written:
                self._whole_line = pending[written - 1] == 0x0A
                if marker:
                    self._dropped = 0
                self._held = pending[written:]
            self.retry_at = self._system.monotonic() + RETRY
            return
        self._whole_line = not pending or pending[-1] == 0x0A
        self._held = bytearray()
        self._dropped = 0
        self._refuses = False
        self.retry_at = None
        self._on_trouble("")

    def flush(self) -> None:
        """Nothing is held for the rest of a line."""

    def reopen(self) -> None:
        """Open the file anew and try again. Raises OSError when it can not be opened."""
        self.file.reopen()
        self.retry()

    def clear(self) -> None:
        """Empty the file; what was held for it is not wanted any more. Raises OSError."""
        self._held.clear()
        self._dropped = 0
        self.file.clear()
        self._whole_line = True

    def close(self) -> None:
        """Try a last time, and close."""
        self.retry()
        if self._refuses:
            self.lost += len(self._held)
            self._on_trouble(f"{self.file.path} is closed while it refuses data")
        self.file.close()

    def _begin_refusal(self, error: OSError, data: bytes | memoryview) -> None:
        written: int = getattr(error, "characters_written", 0)
        self._refuses = True
        if written:
            self._whole_line = data[written - 1] == 0x0A
        self._hold(data[written:])
        self.retry_at = self._system.monotonic() + RETRY
        self._on_trouble(f"cannot write {self.file.path}: {error.strerror}")

    def _hold(self, data: bytes | memoryview) -> None:
        self._held += data
        excess = len(self._held) - HELD
        if excess > 0:
            # Whole lines give way, so that what comes after the gap can be read.
            excess = self._held.find(b"\n", excess - 1) + 1 or excess
            del self._held[:excess]
            self._dropped += excess
            self.lost += excess

    def _marker(self) -> bytearray:
        if not self._dropped:
            return bytearray()
        before = "" if self._whole_line else "\n"
        return bytearray(f"{before}[kahi: {self._dropped} bytes lost]\n".encode())
