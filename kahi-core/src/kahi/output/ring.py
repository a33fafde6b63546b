"""The last bytes of a stream, in memory."""

from __future__ import annotations

import threading

from kahi.output.logreader import LogRead


class Ring:
    """Keeps the newest ``limit`` bytes. Written by the data plane, read from any thread.

    Memory is taken as it fills. ``end`` is the stream's offset after the newest byte.
    """

    __slots__ = ("_bytes", "_limit", "_lock", "end")

    def __init__(self, limit: int, end: int = 0) -> None:
        self._bytes = bytearray()
        self._limit = limit
        self._lock = threading.Lock()
        self.end = end

    def write(self, data: bytes) -> None:
        """Add the next bytes of the stream; the oldest go when there is no room."""
        with self._lock:
            self.end += len(data)
            self._bytes += data[-self._limit :] if self._limit else b""
            self._trim()

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The memory goes with the object."""

    def resize(self, limit: int) -> None:
        """Keep at most ``limit`` bytes from now on."""
        with self._lock:
            self._limit = limit
            self._trim()

    def clear(self) -> None:
        """Forget all bytes; the offset stays."""
        with self._lock:
            self._bytes = bytearray()

    def read(self, offset: int, length: int) -> LogRead:
        """At most ``length`` bytes from ``offset`` on, or from the oldest kept if that is later.

        A negative offset counts from the end.
        """
        with self._lock:
            if offset > self.end:
                return LogRead(b"", self.end, ahead=True)
            oldest = self.end - len(self._bytes)
            wanted = offset if offset >= 0 else max(0, self.end + offset)
            begin = max(wanted, oldest)
            data = bytes(self._bytes[begin - oldest : begin - oldest + length])
            return LogRead(data, begin + len(data), begin - wanted if offset >= 0 else 0)

    def _trim(self) -> None:
        excess = len(self._bytes) - self._limit
        if excess > 0:
            del self._bytes[:excess]
