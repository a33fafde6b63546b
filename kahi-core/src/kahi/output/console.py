"""The daemon's own stdout and stderr, and what programs print there line by line."""

from __future__ import annotations

import json.encoder
import os
import re
import select
import time
from collections.abc import Callable
from typing import Final, Literal

from kahi.output.lines import LineSplitter
from kahi.system import System

Format = Literal["json", "text"]

_CONTROLS: Final = re.compile("[\x7f-\x9f\u2028\u2029]")
"""What JSON leaves as it is, and terminals and line readers do not take for text."""

_quoted: Final = json.encoder.encode_basestring


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


class Console:
    """One of the daemon's standard descriptors, shared by everything that writes there.

    A console that is gone or full never hurts: what it does not take is counted and dropped. One
    that only does not take anything at the moment is waited for.

    Args:
        on_trouble: told what is wrong when it begins to refuse data, and "" when that is over, with
            the bytes that were lost so far.
    """

    def __init__(self, fd: int, system: System, on_trouble: Callable[[str, int], None]) -> None:
        self._fd = fd
        self._system = system
        self._on_trouble = on_trouble
        self._broken_line = False
        self._refuses = False
        self.lost_bytes = 0
        self.identity = _identity(fd)
        """What the descriptor leads to; two that lead to the same block each other."""

    def write(self, data: bytes) -> None:
        """Write all of ``data``, waiting for whoever reads."""
        view = memoryview(b"\n" + data if self._broken_line else data)
        while view:
            try:
                view = view[self._system.write(self._fd, view) :]
            except BlockingIOError:
                # Somebody else made the shared descriptor non-blocking: wait until it takes more.
                _wait_writable(self._fd)
            except OSError as error:
                self._refused(view, data, error)
                return
        self._broken_line = False
        if self._refuses:
            self._refuses = False
            self._on_trouble("", self.lost_bytes)

    def _refused(self, rest: memoryview, data: bytes, error: OSError) -> None:
        lost = min(len(rest), len(data))
        self.lost_bytes += lost
        if lost < len(data):
            self._broken_line = data[-lost - 1] != 0x0A
        if not self._refuses:
            self._refuses = True
            name = "stdout" if self._fd == 1 else "stderr"
            self._on_trouble(f"cannot write to {name}: {error.strerror}", self.lost_bytes)


class LineFormatter:
    """Cuts one stream into lines and dresses each for the console."""

    __slots__ = ("_clock", "_format", "_head", "_lines", "_process")

    def __init__(self, process: str, stream: str, format: Format, clock: Callable[[], float]) -> None:  # noqa: A002
        self._process = process
        self._format = format
        self._clock = clock
        self._lines = LineSplitter()
        self._head = f'"process": {json.dumps(process)}, "stream": "{stream}", "log": '

    def feed(self, data: bytes) -> bytes:
        """The console lines that ``data`` completes."""
        lines = self._lines.feed(data)
        return self._dressed(lines) if lines else b""

    def flush(self) -> bytes:
        """The rest that never got its newline, as a line."""
        partial = self._lines.flush()
        return self._dressed([partial]) if partial else b""

    def _dressed(self, lines: list[bytes]) -> bytes:
        now = timestamp(self._clock())
        texts = b"\n".join(lines).decode("utf-8", "replace").split("\n")
        if self._format == "text":
            head = f"{now} {self._process} | "
            return "".join([f"{head}{text}\n" for text in texts]).encode()
        head = f'{{"time": "{now}", {self._head}'
        entries = "".join([f"{head}{_quoted(text)}}}\n" for text in texts])
        if _CONTROLS.search(entries):
            entries = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", entries)
        return entries.encode()


def _identity(fd: int) -> tuple[int, int]:
    try:
        status = os.fstat(fd)
    except OSError:
        return -1, fd
    return status.st_dev, status.st_ino


def _wait_writable(fd: int) -> None:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    poller.poll()
