"""The last bytes of a stream, in memory."""

from __future__ import annotations

import threading


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

    def append(self, data: bytes | memoryview) -> None:
        """Add the next bytes of the stream; the oldest go when there is no room."""
        with self._lock:
            self.end += len(data)
            self._bytes += data[-self._limit :] if self._limit else b""
            self._trim()

    def resize(self, limit: int) -> None:
        """Keep at most ``limit`` bytes from now on."""
        with self._lock:
            self._limit = limit
            self._trim()

    def clear(self) -> None:
        """Forget all bytes; the offset stays."""
        with self._lock:
            self._bytes = bytearray()

    def read(self, offset: int, length: int) -> tuple[int, bytes]:
        """At most ``length`` bytes from ``offset`` on, or from the oldest kept if that is later.

        Returns:
            The offset of the first byte returned, and the bytes.
        """
        with self._lock:
            oldest = self.end - len(self._bytes)
            begin = min(max(offset, oldest), self.end)
            return begin, bytes(self._bytes[begin - oldest : begin - oldest + length])

    def _trim(self) -> None:
        excess = len(self._bytes) - self._limit
        if excess > 0:
            del self._bytes[:excess]
