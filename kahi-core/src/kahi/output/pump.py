"""The thread that moves what children print: pipe by pipe, order by order.

Everything it does for a channel is a task. While a task hangs because a file system does not
answer, the event loop lets another pump take over (see [kahi.output.plane][]); the one that hangs
then goes on for the channels that hang with it, and for nobody else.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from kahi.errors import TRANSIENT_ERRORS, SpawnError
from kahi.output.pipe import Pipe

if TYPE_CHECKING:
    from kahi.definition import StreamSettings
    from kahi.output.channel import Channel
    from kahi.output.destinations import Destinations
    from kahi.output.exchange import Order
    from kahi.output.lane import Lane
    from kahi.output.traffic import Traffic
    from kahi.system import System

log = logging.getLogger(__name__)

BUFFER_SIZE: Final = 256 * 1024
"""Bytes read from one pipe before the others get their turn."""

HURRY: Final = 0.001
"""Seconds between two turns below which a pipe that is readable in both is in a hurry."""

NAP: Final = 0.0005
"""Seconds in which more may gather, when all pipes that are in a hurry give little at a time."""

TAP_LIMIT: Final = 64 * 1024
"""What a tap gets of one read at most; no message that anybody listens for is that long."""

DRAIN_BYTES: Final = 4 * 1024 * 1024
"""What a drain reads at most: more than a pipe holds, so only a grandchild still writing reaches it."""


class Pump:
    """One thread of the data plane. Of all pumps only the newest reads pipes and takes orders."""

    def __init__(self, traffic: Traffic, destinations: Destinations, system: System) -> None:
        self._system = system
        self._traffic = traffic
        self._destinations = destinations
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._turn_ended = 0.0
        self._has_much = False
        self.task: Channel | None = None
        """The channel it works for right now."""
        self.tasks = 0
        """Grows with each task, so that one that hangs can be told from many quick ones."""
        self.lane: Lane | None = None
        """Set when another pump took over."""
        self._thread = threading.Thread(target=self._run, name="kahi-output", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def join(self, limit: float) -> None:
        """Wait until its thread has ended, at most ``limit`` seconds."""
        self._thread.join(limit)

    @property
    def was_started(self) -> bool:
        """Whether its thread has begun, and ended perhaps."""
        return self._thread.ident is not None

    @property
    def is_alive(self) -> bool:
        """Whether its thread still works, or hangs."""
        return self._thread.is_alive()

    # What may be ordered for a channel

    def open(self, channel: Channel, *, create: bool = True) -> SpawnError | None:
        """Open where its bytes go; returns why that is impossible."""
        self._traffic.channels.add(channel)
        try:
            self._destinations.open(channel, create=create)
        except OSError as error:
            reason, code = error.strerror or str(error), error.errno or 0
            return SpawnError(
                "open log file",
                channel.settings.logfile,
                code,
                reason,
                permanent=code not in TRANSIENT_ERRORS,
            )
        return None

    def reopen(self, channel: Channel, *, only_if_moved: bool = False) -> str:
        """Open its log file anew; returns what went wrong, and goes on with what was open then."""
        try:
            if not only_if_moved or channel.is_moved:
                channel.reopen()
        except OSError as error:
            problem = f"cannot reopen {channel.logfile}: {error.strerror}"
            self._destinations.tell_trouble(channel, problem)
            return problem
        return ""

    def adjust(self, channel: Channel, settings: StreamSettings) -> None:
        """Take over other settings, as far as that is possible while it is open."""
        self._destinations.adjust(channel, settings)

    def attach(self, channel: Channel, fd: int, pid: int) -> None:
        """Begin to pump the pipe of a child."""
        self._traffic.add_pipe(Pipe(fd, pid, channel))

    def drain(self, channel: Channel) -> None:
        """Deliver everything that can be read now, and what was held back."""
        for pipe in tuple(channel.pipes):
            before = channel.total_bytes
            while pipe.fd >= 0 and self.read(pipe) and channel.total_bytes - before < DRAIN_BYTES:
                pass
        channel.flush()

    def retire(self, channel: Channel) -> None:
        """Close it as soon as all its pipes have ended."""
        channel.retired = True
        if not channel.pipes:
            self._release(channel)

    def finish(self, channel: Channel) -> None:
        """Deliver what there is, and close it now."""
        self.drain(channel)
        self._release(channel)

    def end(self) -> None:
        """Let the thread end."""
        self._traffic.ended = True

    def _release(self, channel: Channel) -> None:
        for pipe in tuple(channel.pipes):
            self._traffic.end_pipe(pipe)
        channel.close_outlets()
        channel.close_sinks()
        channel.retired = True
        self._traffic.channels.discard(channel)

    def read(self, pipe: Pipe) -> int:
        """Deliver what one read gives; returns how much that was. A pipe that has ended is closed.

        Data that come faster than they are read get a larger pipe; see `_turn` for the rest.
        """
        channel = pipe.channel
        try:
            count = os.readv(pipe.fd, [self._buffer])
        except BlockingIOError:
            return 0
        except OSError:
            count = 0
        if count:
            if count >= pipe.size // 2:
                self._has_much = True
                self._traffic.enlarge(pipe)
            pipe.was_empty = False
            channel.pid = pipe.pid
            if channel.tap is not None:
                channel.tap(pipe.pid, bytes(self._view[: min(count, TAP_LIMIT)]))
            channel.deliver(self._view[:count])
            return count
        self._traffic.end_pipe(pipe)
        if not channel.pipes:
            channel.flush()
            if channel.retired:
                self._release(channel)
        return 0

    # The thread

    def _run(self) -> None:
        self._system.set_name("kahi-output")
        traffic = self._traffic
        # The one before may have been woken for orders that it never took.
        self._take_orders()
        while self.lane is None and not traffic.ended:
            self._turn()
        if self.lane is not None:
            self._serve(self.lane)

    def _turn(self) -> None:
        """Wait for something to do, and do it once.

        Pipes in a hurry are taken out of the poller and read in every turn, until there is nothing:
        a writer is slowed down by a poller that waits for its pipe. When all that they give is
        little, a nap lets more gather, so that lines are moved in large pieces.
        """
        traffic = self._traffic
        hot = tuple(traffic.hot)
        ready = traffic.selector.select(0 if hot else traffic.pause())
        in_a_hurry = self._system.monotonic() - self._turn_ended < HURRY
        self._has_much = False
        for key, _ in ready:
            pipe: Pipe | None = key.data
            if pipe is None:
                traffic.exchange.acknowledge()
                self._take_orders()
            elif pipe.fd >= 0:
                # An order taken a moment ago may have closed it.
                self._do(pipe.channel, pipe.read)
                if in_a_hurry:
                    traffic.heat(pipe)
            if self.lane is not None:
                return
        for pipe in hot:
            if pipe.is_hot:
                pipe.was_empty = True
                self._do(pipe.channel, pipe.read)
                if self.lane is not None:
                    return
                if pipe.was_empty:
                    traffic.cool(pipe)
        if traffic.troubled:
            self._retry()
        if hot and not self._has_much:
            time.sleep(NAP)
        self._turn_ended = self._system.monotonic()

    def _do(self, channel: Channel, order: Order) -> None:
        traffic = self._traffic
        self.task = channel
        self.tasks += 1
        if not traffic.watched:
            traffic.watched = True
            traffic.watch()
        self._carry_out(channel, order)
        with traffic.lock:
            self.task = None

    def _carry_out(self, channel: Channel, order: Order) -> None:
        try:
            order(self)
        except Exception:  # boundary: one stream must never end the thread of all
            if not channel.has_failed:
                channel.has_failed = True
                log.exception(
                    "%s: its %s is not delivered as it should be", channel.key.name, channel.key.stream
                )

    def _take_orders(self) -> None:
        traffic = self._traffic
        while self.lane is None and (taken := traffic.exchange.take()) is not None:
            channel, order = taken
            if channel is None:
                order(self)
            elif not traffic.put_off(channel, order):
                self._do(channel, order)

    def _retry(self) -> None:
        for channel in self._traffic.due():
            if self.lane is None:
                self._do(channel, lambda _, channel=channel: channel.retry())

    def _serve(self, lane: Lane) -> None:
        """Do what was ordered for the channels that hung, until they can go on like all others."""
        while (taken := self._traffic.next_of(lane)) is not None:
            self._carry_out(*taken)
