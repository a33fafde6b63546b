"""Events for consumers that take them at their own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from kahi.events.types import Event

if TYPE_CHECKING:
    from kahi.events.bus import Subscription

QUEUE_LIMIT: Final = 1000


class EventQueue:
    """What waits for one consumer: bounded, and taken in batches.

    [EventBus.queue][kahi.events.EventBus.queue] makes one. It belongs to the event-loop thread and
    to one consumer::

        with ctx.events.queue("process_state", limit=500, owner="notify") as queue:
            async for batch in queue:       # everything that came since the last batch
                await deliver(batch)        # as slow as it likes
                report(queue.dropped)       # so many gave way, all of them before the next batch

    A consumer that is too slow loses the oldest events, and ``dropped`` counts them; it never slows
    the publisher nor another consumer, and never holds more than ``limit`` events. A wait may be
    cancelled (a time limit for a heartbeat, say) without losing anything. The queue costs nothing
    while nothing it wants is published.
    """

    __slots__ = ("_closed", "_events", "_limit", "_waiter", "dropped", "subscription")

    subscription: Subscription

    def __init__(self, limit: int) -> None:
        self._events: deque[Event] = deque()
        self._limit = limit
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self.dropped = 0
        """How many events gave way to later ones since the queue was made."""

    def put(self, event: Event) -> None:
        """Append an event; called by the bus."""
        if len(self._events) >= self._limit:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        self._wake()

    def __len__(self) -> int:
        return len(self._events)

    def take(self, most: int | None = None) -> list[Event]:
        """What waits, oldest first, without waiting for more; empty when there is nothing.

        Args:
            most: leave the rest for the next time.
        """
        if most is not None and most < len(self._events):
            return [self._events.popleft() for _ in range(most)]
        batch = list(self._events)
        self._events.clear()
        return batch

    async def batch(self, most: int | None = None) -> list[Event]:
        """The next events, at least one; empty only when the queue is closed and everything was taken."""
        while not self._events and not self._closed:
            if self._waiter is None:
                self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take(most)

    def close(self) -> None:
        """Take nothing more in; what waits can still be taken. Closing twice is fine."""
        self._closed = True
        self.subscription.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        batch = await self.batch()
        if not batch:
            raise StopAsyncIteration
        return batch
