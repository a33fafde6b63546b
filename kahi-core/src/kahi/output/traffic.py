"""What the pumps share: pipes, channels, and the lanes of those that hang."""

from __future__ import annotations

import selectors
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final

from kahi.output.exchange import Exchange, Order
from kahi.output.lane import Lane
from kahi.output.outlets import PluginSink
from kahi.output.pipe import LARGE_SIZE, USUAL_SIZE, Pipe
from kahi.system import System

if TYPE_CHECKING:
    from kahi.output.channel import Channel
    from kahi.output.pump import Pump

MOST_LARGE: Final = 64
"""Large pipes at once: a user who is not root may have only so many, and then gets tiny ones."""


class Traffic:
    """Pipes are watched, and channels put into lanes and taken out of them, under one lock.

    Args:
        watch: told that a pump has begun to work, and may come to hang.
    """

    def __init__(self, exchange: Exchange, system: System, watch: Callable[[], None]) -> None:
        self.exchange = exchange
        self.selector = selectors.DefaultSelector()
        self.selector.register(exchange.wake_fd, selectors.EVENT_READ, None)
        self.lock = threading.Lock()
        self.channels: set[Channel] = set()
        """All that have been opened and not closed."""
        self.troubled: set[Channel] = set()
        """Those whose log file refused data."""
        self.watch = watch
        self.watched = False
        self.ended = False
        self.hot: list[Pipe] = []
        """Pipes that are read in every turn."""
        self._large: set[Pipe] = set()
        self._lanes: list[Lane] = []
        self._system = system

    # Pipes

    def add_pipe(self, pipe: Pipe) -> None:
        """Have a pipe pumped."""
        self._system.set_nonblocking(pipe.fd)
        pipe.channel.pipes.append(pipe)
        with self.lock:
            if pipe.channel.lane is None:
                self.selector.register(pipe.fd, selectors.EVENT_READ, pipe)

    def end_pipe(self, pipe: Pipe) -> None:
        """Close a pipe."""
        with self.lock:
            if pipe.channel.lane is None:
                self._take_out(pipe)
        self._system.close(pipe.fd)
        pipe.fd = -1
        self._large.discard(pipe)
        pipe.channel.pipes.remove(pipe)

    def enlarge(self, pipe: Pipe) -> None:
        """Give a pipe more room, if it has not, so that reading and filling it disturb each other less."""
        if pipe.size == USUAL_SIZE and len(self._large) < MOST_LARGE:
            self._large.add(pipe)
            pipe.size = LARGE_SIZE
            self._system.enlarge_pipe(pipe.fd, LARGE_SIZE)

    def heat(self, pipe: Pipe) -> None:
        """Have a pipe read in every turn, and not watched."""
        with self.lock:
            if pipe.fd >= 0 and not pipe.is_hot and pipe.channel.lane is None:
                self.selector.unregister(pipe.fd)
                pipe.is_hot = True
                self.hot.append(pipe)

    def cool(self, pipe: Pipe) -> None:
        """Have a pipe watched again."""
        with self.lock:
            if pipe.is_hot:
                self._take_out(pipe)
                self.selector.register(pipe.fd, selectors.EVENT_READ, pipe)

    def _take_out(self, pipe: Pipe) -> None:
        if pipe.is_hot:
            pipe.is_hot = False
            self.hot.remove(pipe)
        else:
            self.selector.unregister(pipe.fd)

    # Lanes

    def divert(self, pump: Pump, tasks: int) -> list[Channel]:
        """Put the channel that a pump hangs with, and all that would hang as well, into a lane.

        Args:
            tasks: how many the pump had begun when it was last seen to hang.

        Returns:
            Those channels; none when the pump works after all.
        """
        with self.lock:
            channel = pump.task
            if channel is None or pump.tasks != tasks or pump.lane is not None:
                return []
            lane = pump.lane = Lane(_where_it_hangs(channel))
            for other in {channel, *self.channels}:
                if other.lane is None and (other is channel or other.places & lane.places):
                    other.lane = lane
                    lane.members.append(other)
                    for pipe in other.pipes:
                        self._take_out(pipe)
            self._lanes.append(lane)
            return list(lane.members)

    def put_off(self, channel: Channel, order: Order) -> bool:
        """Keep an order for a channel that hangs, or would if it were carried out."""
        if not self._lanes:
            return False
        with self.lock:
            lane = channel.lane
            if lane is None:
                lane = next((each for each in self._lanes if each.places & channel.places), None)
                if lane is None:
                    return False
                channel.lane = lane
                lane.members.append(channel)
                for pipe in channel.pipes:
                    self._take_out(pipe)
            lane.orders.append((channel, order))
            return True

    def next_of(self, lane: Lane) -> tuple[Channel, Order] | None:
        """The next order of a lane; None when there is none left, and its channels go on as before."""
        with self.lock:
            if lane.orders:
                return lane.orders.popleft()
            self._lanes.remove(lane)
            for channel in lane.members:
                channel.lane = None
                if not self.ended:
                    for pipe in channel.pipes:
                        self.selector.register(pipe.fd, selectors.EVENT_READ, pipe)
        self.exchange.wake()
        return None

    # Log files that refuse data

    def due(self) -> list[Channel]:
        """Channels whose log file is to be tried again by now."""
        now = self._system.monotonic()
        return [channel for channel, at in self._retries() if at <= now]

    def pause(self) -> float | None:
        """Seconds until the first of them is due, None when there are none."""
        if not self.troubled:
            return None
        retries = [at for _, at in self._retries()]
        return max(0.0, min(retries) - self._system.monotonic()) if retries else None

    def _retries(self) -> list[tuple[Channel, float]]:
        found: list[tuple[Channel, float]] = []
        for channel in tuple(self.troubled):
            retry_at = None if channel.writer is None else channel.writer.retry_at
            if retry_at is None:
                self.troubled.discard(channel)
            elif channel.lane is None:
                found.append((channel, retry_at))
        return found


def _where_it_hangs(channel: Channel) -> frozenset[Hashable]:
    """What holds up a channel: the sink of a plugin that has the bytes now, or where the log leads."""
    if isinstance(channel.current, PluginSink):
        return frozenset({channel.current.place})
    return channel.places - {sink.place for sink in channel.sinks}
