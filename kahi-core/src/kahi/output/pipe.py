"""The read end of what one child writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kahi.output.channel import Channel
    from kahi.output.pump import Pump

USUAL_SIZE: Final = 64 * 1024
"""Bytes that fit into a pipe, unless somebody asked for more room."""

LARGE_SIZE: Final = 256 * 1024
"""Bytes that fit into the pipe of a child that prints faster than it can be read from a usual one."""


class Pipe:
    """A pipe of a stream; the stream may have several, of children that are gone and left somebody.

    Args:
        fd: readable, not blocking; -1 once it is closed.
        pid: the child that was given the other end.
    """

    __slots__ = ("channel", "fd", "is_hot", "pid", "size", "was_empty")

    def __init__(self, fd: int, pid: int, channel: Channel) -> None:
        self.fd = fd
        self.pid = pid
        self.channel = channel
        self.size = USUAL_SIZE
        self.is_hot = False
        """Whether it is read in every turn, and not watched by the poller."""
        self.was_empty = True
        """Whether the last read gave nothing."""

    def read(self, pump: Pump) -> None:
        """The order to deliver what can be read."""
        pump.read(self)
