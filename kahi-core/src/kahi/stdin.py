"""Writing to a child's standard input without ever waiting for it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from kahi.system import System

QUEUE_LIMIT: Final = 1024 * 1024
"""Bytes that wait for a child that does not read."""


class StdinClosed(Exception):
    """The child closed its end, or is gone."""


class StdinQueueFull(Exception):
    """What was to be written does not fit behind what already waits."""


class StdinPipe:
    """The write end of a child's stdin. Belongs to the event-loop thread.

    Args:
        fd: the write end; the object closes it.
    """

    __slots__ = ("_ending", "_fd", "_loop", "_queue", "_queued", "_system")

    def __init__(self, fd: int, system: System, loop: asyncio.AbstractEventLoop) -> None:
        self._fd = fd
        self._system = system
        self._loop = loop
        self._queue: deque[memoryview] | None = None
        self._queued = 0
        self._ending = False
        system.set_nonblocking(fd)

    def write(self, data: bytes) -> None:
        """Pass ``data`` on, in order; what the pipe does not take now follows when it does.

        Raises:
            StdinClosed: the child does not read any more.
            StdinQueueFull: more than 1 MiB would wait; nothing of ``data`` was taken.
        """
        if self._fd < 0 or self._ending:
            raise StdinClosed
        rest = memoryview(data)
        if self._queue is None:
            rest = rest[self._try(rest) :]
        if not rest:
            return
        if self._queued + len(rest) > QUEUE_LIMIT and (self._queue is not None or len(rest) == len(data)):
            raise StdinQueueFull
        if self._queue is None:
            self._queue = deque()
            self._loop.add_writer(self._fd, self._flush)
        self._queue.append(rest)
        self._queued += len(rest)

    def end(self) -> None:
        """Close the pipe behind what waits, so that the child reads the end of its input."""
        self._ending = True
        if self._queue is None:
            self.close()

    def close(self) -> None:
        """Close the pipe and drop what waits; closing twice is fine."""
        if self._fd < 0:
            return
        if self._queue is not None:
            self._loop.remove_writer(self._fd)
            self._queue = None
            self._queued = 0
        self._system.close(self._fd)
        self._fd = -1

    def _try(self, data: memoryview) -> int:
        try:
            return self._system.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.close()
            raise StdinClosed from error

    def _flush(self) -> None:
        queue = self._queue
        while queue:
            try:
                written = self._try(queue[0])
            except StdinClosed:
                return
            self._queued -= written
            if written < len(queue[0]):
                queue[0] = queue[0][written:]
                return
            queue.popleft()
        self._loop.remove_writer(self._fd)
        self._queue = None
        if self._ending:
            self.close()
