"""The two queues between the event loop and the data plane: orders one way, news the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kahi.system import System

if TYPE_CHECKING:
    from kahi.output.channel import Channel
    from kahi.output.pump import Pump

Order = Callable[["Pump"], None]
"""What is to be done for a channel, by the pump that has it."""

MUCH: Final = 32
"""Orders that do not wait for the end of a turn, which may be a long one: a thousand programs start in it."""


class Exchange:
    """Takes orders from any thread and news from the threads of the data plane.

    Belongs to the thread of the event loop, which makes it.
    """

    def __init__(self, system: System, loop: asyncio.AbstractEventLoop) -> None:
        self.wake_fd, self._wake_write = system.pipe()
        """Readable when there are orders."""
        system.set_nonblocking(self.wake_fd)
        system.set_nonblocking(self._wake_write)
        self._system = system
        self._loop = loop
        self._orders: deque[tuple[Channel | None, Order]] = deque()
        self._news: deque[Callable[[], None]] = deque()
        self._awake = False
        self._telling = False
        self._closed = False
        self._thread = threading.get_ident()
        self._waking = False

    def order(self, channel: Channel | None, order: Order) -> None:
        """Have ``order`` called on the data plane, after all earlier ones of the same channel.

        What the event loop orders in one turn wakes the data plane once, at the turn's end or when it
        has become much: the two threads share the interpreter, and each hand-over costs more than most
        orders do.
        """
        if self._closed:
            return
        self._orders.append((channel, order))
        if threading.get_ident() != self._thread or len(self._orders) >= MUCH:
            self.wake()
        elif not (self._awake or self._waking):
            self._waking = True
            # As below: nobody is left to be told once the loop is closed.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon(self._wake_soon)

    def _wake_soon(self) -> None:
        self._waking = False
        self.wake()

    def wake(self) -> None:
        """Have the data plane look at its orders and its pipes."""
        if not self._awake:
            self._awake = True
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_write, b"\0")

    def acknowledge(self) -> None:
        """Take notice of being woken; orders are to be taken after that, not before."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake_fd, 4096)
        self._awake = False

    def take(self) -> tuple[Channel | None, Order] | None:
        """The next order, None when there is none."""
        return self._orders.popleft() if self._orders else None

    def report(self, news: Callable[[], None]) -> None:
        """Have ``news`` called on the event loop, after all earlier ones."""
        self._news.append(news)
        if not self._telling:
            self._telling = True
            # The loop may be closed already: nobody is left to be told.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell)

    def close(self) -> None:
        """Take no orders any more."""
        self._closed = True
        self._awake = True
        self._system.close(self.wake_fd)
        self._system.close(self._wake_write)

    def _tell(self) -> None:
        self._telling = False
        try:
            # What comes meanwhile has its turn after everything else that the loop has to do.
            for _ in range(len(self._news)):
                self._news.popleft()()
        except BaseException:
            # The loop reports it; the others are told all the same.
            self._loop.call_soon(self._tell)
            raise
