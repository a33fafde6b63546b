"""Those who wait until a process is in some condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kahi.lifecycle import Record, State

Condition = Callable[[Record], bool]


class Waiters:
    """Futures of one process, each done with the state in which its condition first held."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: tuple[tuple[Condition, asyncio.Future[State]], ...] = ()

    def add(self, condition: Condition, record: Record) -> asyncio.Future[State]:
        """A future for ``condition``, done at once when ``record`` is like that."""
        future: asyncio.Future[State] = self._loop.create_future()
        if condition(record):
            future.set_result(record.state)
        else:
            self._waiting = (*self._waiting, (condition, future))
        return future

    def wake(self, record: Record) -> None:
        """Resolve what ``record`` answers; those who gave up are forgotten."""
        if not self._waiting:
            return
        rest: list[tuple[Condition, asyncio.Future[State]]] = []
        for condition, future in self._waiting:
            if future.done():
                continue
            if condition(record):
                future.set_result(record.state)
            else:
                rest.append((condition, future))
        self._waiting = tuple(rest)
