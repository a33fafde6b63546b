"""What programs print, line by line, on the daemon's own stdout."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Final, Literal

Format = Literal["json", "text"]

LINE_LIMIT: Final = 64 * 1024
"""Bytes after which a line without an end is written all the same."""


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


class Console:
    """The daemon's stdout, shared by everything that writes there. Data-plane thread only.

    A console that is gone or full never hurts: what it does not take is counted in ``lost_bytes``.
    """

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd
        self.lost_bytes = 0

    def write(self, data: bytes) -> None:
        """Write all of ``data``, waiting for whoever reads."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                # Somebody else made the shared stdout non-blocking: wait until it takes more.
                _wait_writable(self._fd)
            except OSError:
                self.lost_bytes += len(view)
                return


class LineFormatter:
    """Cuts one stream into lines and dresses each for the console."""

    __slots__ = ("_clock", "_format", "_partial", "_process", "_stream")

    def __init__(self, process: str, stream: str, format: Format, clock: Callable[[], float]) -> None:  # noqa: A002
        self._process = process
        self._stream = stream
        self._format = format
        self._clock = clock
        self._partial = b""

    def feed(self, data: bytes | memoryview) -> bytes:
        """The console lines that ``data`` completes."""
        text = self._partial + bytes(data)
        *lines, self._partial = text.split(b"\n")
        if len(self._partial) > LINE_LIMIT:
            lines.append(self._partial)
            self._partial = b""
        return b"".join(map(self._dressed, lines))

    def flush(self) -> bytes:
        """The rest that never got its newline, as a line."""
        partial, self._partial = self._partial, b""
        return self._dressed(partial) if partial else b""

    def _dressed(self, line: bytes) -> bytes:
        text = line.decode("utf-8", "replace")
        now = timestamp(self._clock())
        if self._format == "text":
            return f"{now} {self._process} | {text}\n".encode()
        record = {"time": now, "process": self._process, "stream": self._stream, "log": text}
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _wait_writable(fd: int) -> None:
    import select

    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    poller.poll()
