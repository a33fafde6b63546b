"""TICK events: a clock that goes only while somebody listens to it."""

from __future__ import annotations

import asyncio
from typing import Final

from kahi.events import EventBus, TickEvent
from kahi.system import System

PERIODS: Final = (5, 60, 3600)

MARGIN: Final = 0.005
"""Seconds after the full period at which a tick is told, so that an early timer tells the right one."""


class Ticks:
    """Publishes ``TICK_5``, ``TICK_60`` and ``TICK_3600`` at full multiples of the wall clock.

    There is no timer for a period that nobody subscribed to.
    """

    def __init__(self, events: EventBus, system: System, loop: asyncio.AbstractEventLoop) -> None:
        self._events = events
        self._system = system
        self._loop = loop
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._told: dict[int, int] = {}
        events.interest_watchers.append(self.reconsider)
        self.reconsider()

    def reconsider(self) -> None:
        """Start and stop timers as subscribers demand."""
        for period in PERIODS:
            timer = self._timers.get(period)
            wanted = self._events.wanted(f"TICK_{period}")
            if wanted and timer is None:
                self._wait(period)
            elif not wanted and timer is not None:
                timer.cancel()
                del self._timers[period]

    def close(self) -> None:
        """Stop for good."""
        self._events.interest_watchers.remove(self.reconsider)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _wait(self, period: int) -> None:
        delay = period - self._system.wall_clock() % period + MARGIN
        self._timers[period] = self._loop.call_later(delay, self._tick, period)

    def _tick(self, period: int) -> None:
        self._wait(period)
        when = int(self._system.wall_clock() // period * period)
        # The wall clock may have been slowed down meanwhile: then this was too early.
        if when != self._told.get(period):
            self._told[period] = when
            self._events.publish(TickEvent(period=period, when=when))
