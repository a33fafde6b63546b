"""The data plane, as the event loop sees it: orders go there, news come back.

One thread owns the pipes and the log files, so a flood of output or a slow disk is felt there and
nowhere else. It sleeps in its poller until there is work.

While it works it is watched. When a file system, a terminal or a plugin's sink holds it up, the
channels that lead there are put into a lane, the thread is left to them, and another one takes over
all others: nobody waits for a destination that is not their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.to_thread

from kahi.definition import StreamSettings
from kahi.events import EventBus
from kahi.output.channel import Channel
from kahi.output.destinations import Destinations, OutputSettings
from kahi.output.exchange import Exchange, Order
from kahi.output.outlets import PluginSink
from kahi.output.pump import Pump
from kahi.output.stream import OutputStream
from kahi.output.streamkey import StreamKey
from kahi.output.traffic import Traffic
from kahi.system import System

log = logging.getLogger(__name__)

LOOK: Final = 0.1
"""Seconds between two looks at a pump that works; one that is at the same task for two of them hangs."""

WORTH_TELLING: Final = 1.0
"""Seconds after which a destination that does not take data is named in the log."""

MOST_LANES: Final = 16
"""Pumps that may hang at once; with more, everybody waits."""

REOPEN_LIMIT: Final = 5.0
"""Seconds that opening all log files anew is waited for."""

SYSLOG_LIMIT: Final = 1.0
"""Seconds that syslog is given at the end for the last messages."""


@dataclass(slots=True)
class _Hanging:
    """A pump that another one took over from."""

    pump: Pump
    channels: list[Channel]
    since: float
    told: bool = False


class DataPlane:
    """Moves output. Made and ordered on the event-loop thread, works on its own.

    Args:
        events: where output, and trouble with it, is published.
    """

    def __init__(
        self, settings: OutputSettings, system: System, loop: asyncio.AbstractEventLoop, events: EventBus
    ) -> None:
        self.loop = loop
        """The event loop that orders and is told."""
        self._system = system
        self._exchange = Exchange(system, loop)
        self._traffic = Traffic(self._exchange, system, lambda: self.report(self._begin_watch))
        self._destinations = Destinations(settings, system, events, self.report, self._traffic.troubled.add)
        self._pump = Pump(self._traffic, self._destinations, system)
        self._hanging: list[_Hanging] = []
        self._seen = 0
        self._suspected = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to work."""
        self._pump.start()

    def stream(
        self, key: StreamKey, settings: StreamSettings, sinks: Iterable[PluginSink] = ()
    ) -> OutputStream:
        """A new stream; nothing is opened before its ``open``."""
        stream = OutputStream(key, settings, self)
        stream.channel.sinks = stream.channel.outlets = tuple(sinks)
        stream.channel.places = self._destinations.places(stream.channel)
        return stream

    def order(self, channel: Channel, order: Order) -> None:
        """Have ``order`` carried out, after all earlier ones for the same channel. From any thread."""
        self._exchange.order(channel, order)

    def report(self, news: Callable[[], None]) -> None:
        """Have ``news`` called on the event loop, after all earlier ones. From any thread."""
        self._exchange.report(news)

    async def ask(self, channel: Channel, order: Order) -> None:
        """Have ``order`` carried out, and wait until that is done. Raises what it raises."""
        error = await self._carried_out([channel], lambda pump, _: order(pump))
        if error is not None:
            raise error

    async def catch_up(self) -> None:
        """Wait until everything ordered so far was done, but for what hangs."""
        future: asyncio.Future[None] = self.loop.create_future()
        self._exchange.order(None, lambda _: self.report(lambda: _resolve(future)))
        await future

    async def reopen(self) -> list[str]:
        """Open all log files anew, as after somebody moved them; returns what went wrong."""
        problems: list[str] = []

        def reopen(pump: Pump, channel: Channel) -> None:
            problem = pump.reopen(channel)
            if problem:
                problems.append(problem)

        with anyio.move_on_after(REOPEN_LIMIT) as scope:
            await self._carried_out(self._traffic.channels, reopen)
        if scope.cancelled_caught:
            problems.append("some logs do not answer")
        return problems

    async def close(self, limit: float, last: OutputStream) -> bool:
        """Deliver what there is and end, ``last`` after all others.

        Returns:
            False when that took longer than ``limit`` seconds; the rest is lost then.
        """
        rest = [channel for channel in tuple(self._traffic.channels) if channel is not last.channel]
        with anyio.move_on_after(limit):
            error = await self._carried_out(rest, Pump.finish)
            if error is not None:
                log.error("an output could not be finished", exc_info=error)
        lost = [channel for channel in rest if not channel.retired]
        if lost:
            log.error("%s: given up after %.0f s: what was printed last is lost", _named(lost), limit)
        await _wait_off_the_loop(self._destinations.close, SYSLOG_LIMIT)
        with anyio.move_on_after(limit):
            await self._carried_out([last.channel], Pump.finish)
        self._exchange.order(None, Pump.end)
        await _wait_off_the_loop(self._pump.join, limit)
        if self._timer is not None:
            self._timer.cancel()
        self._exchange.close()
        return not lost and last.channel.retired

    async def _carried_out(
        self, channels: Iterable[Channel], order: Callable[[Pump, Channel], None]
    ) -> Exception | None:
        """Wait until an order for each of several channels is carried out; returns the first error."""
        future: asyncio.Future[None] = self.loop.create_future()
        missing = set(channels)
        errors: list[Exception] = []
        if not missing:
            return None

        def carry_out(pump: Pump, channel: Channel) -> None:
            try:
                order(pump, channel)
            except Exception as error:  # noqa: BLE001 - handed on to whoever asked
                errors.append(error)
            self.report(lambda: carried_out(channel))

        def carried_out(channel: Channel) -> None:
            missing.discard(channel)
            if not missing:
                _resolve(future)

        for channel in tuple(missing):
            self._exchange.order(channel, lambda pump, channel=channel: carry_out(pump, channel))
        await future
        return errors[0] if errors else None

    # Watching the pump while it works

    def _begin_watch(self) -> None:
        if self._timer is None:
            self._seen = -1
            self._look_later()

    def _look_later(self) -> None:
        self._timer = self.loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        self._timer = None
        self._look_at_hanging()
        pump = self._pump
        if not pump.was_started:
            self._start_pump()
        tasks, works = pump.tasks, pump.task is not None
        if works and tasks == self._seen:
            if self._suspected:
                self._take_over(tasks)
            self._suspected = not self._suspected
        else:
            self._suspected = False
            if tasks == self._seen and not self._hanging:
                # A task that begins from here on asks to be watched, one that began just now did not.
                self._traffic.watched = False
                if pump.tasks == tasks:
                    return
                self._traffic.watched = True
        self._seen = tasks
        self._look_later()

    def _take_over(self, tasks: int) -> None:
        if len(self._hanging) >= MOST_LANES:
            return
        following = Pump(self._traffic, self._destinations, self._system)
        channels = self._traffic.divert(self._pump, tasks)
        if channels:
            self._hanging.append(_Hanging(self._pump, channels, self._system.monotonic()))
            self._pump = following
            if not self._start_pump():
                log.error("output waits: there is no memory for another thread")

    def _start_pump(self) -> bool:
        """Start the pump; for want of memory it may have to be tried again at the next look."""
        try:
            self._pump.start()
        except RuntimeError:
            return False
        return True

    def _look_at_hanging(self) -> None:
        now = self._system.monotonic()
        for each in tuple(self._hanging):
            seconds = now - each.since
            if not each.pump.is_alive:
                self._hanging.remove(each)
                if each.told:
                    log.warning("%s: output goes on after %.1f s", _named(each.channels), seconds)
            elif seconds >= WORTH_TELLING and not each.told:
                each.told = True
                log.error("%s: output waits, its destination does not answer", _named(each.channels))


def _named(channels: Iterable[Channel]) -> str:
    names = sorted({channel.key.name for channel in channels})
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


async def _wait_off_the_loop(wait: Callable[[float], object], limit: float) -> None:
    """Wait for something in a thread, or right here when no thread can be had; at most ``limit`` seconds."""
    try:
        await anyio.to_thread.run_sync(wait, limit)
    except RuntimeError:
        wait(limit)


def _resolve(future: asyncio.Future[None]) -> None:
    """Resolve ``future`` unless somebody gave up on it."""
    if not future.done():
        future.set_result(None)
