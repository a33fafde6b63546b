"""The read end of what one child writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kahi.output.channel import Channel
    from kahi.output.pump import Pump


class Pipe:
    """A pipe of a stream; the stream may have several, of children that are gone and left somebody.

    Args:
        fd: readable, not blocking; -1 once it is closed.
        pid: the child that was given the other end.
    """

    __slots__ = ("channel", "fd", "is_large", "pid")

    def __init__(self, fd: int, pid: int, channel: Channel) -> None:
        self.fd = fd
        self.pid = pid
        self.channel = channel
        self.is_large = False
        """Whether it was given more room, because it is filled faster than it is emptied."""

    def read(self, pump: Pump) -> None:
        """The order to deliver what can be read."""
        pump.read(self)
