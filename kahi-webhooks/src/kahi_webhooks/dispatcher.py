"""All webhooks of the daemon: made from the configuration, fed by the event bus."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import TaskGroup

from kahi.events import EventBus, Subscription
from kahi.events.wire import own_name

if TYPE_CHECKING:
    from kahi_webhooks.courier import Courier
    from kahi_webhooks.notice import Origin
    from kahi_webhooks.sender import Sender
    from kahi_webhooks.settings import WebhookSettings

LAST_DELIVERIES: Final = 5.0
"""Seconds that what waits is given when the daemon ends."""

OWNER: Final = "webhooks"
"""Who is named when a subscriber raises: the plugin's name."""


class Dispatcher:
    """Keeps one sender for each webhook. Belongs to the event-loop thread."""

    def __init__(self, events: EventBus, origin: Origin, courier: Courier) -> None:
        self._events = events
        self._origin = origin
        self._courier = courier
        self._senders: dict[str, Sender] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: TaskGroup | None = None

    def __iter__(self) -> Iterator[Sender]:
        return iter(tuple(self._senders.values()))

    def apply(self, webhooks: Mapping[str, WebhookSettings]) -> None:
        """Have exactly these webhooks; one that stays keeps what waits in its queue."""
        for name in self._senders.keys() - webhooks.keys():
            self._subscriptions.pop(name).close()
            self._senders.pop(name).abandon()
        for name, settings in webhooks.items():
            sender = self._senders.get(name)
            if sender is None:
                sender = self._make(name, settings)
                self._senders[name] = sender
                if self._tasks is not None:
                    self._tasks.start_soon(sender.run)
            elif sender.settings != settings:
                sender.reconfigure(settings)
                self._subscriptions.pop(name).close()
            if name not in self._subscriptions:
                wanted = map(own_name, settings.events)
                self._subscriptions[name] = self._events.subscribe(sender.offer, *wanted, owner=OWNER)

    def _make(self, name: str, settings: WebhookSettings) -> Sender:
        # Imported by the first webhook: most daemons have none.
        from kahi_webhooks.sender import Sender

        return Sender(name, settings, self._origin, self._courier)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Deliver while the context is entered, and for a few seconds more what waits then."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for sender in self:
                tasks.start_soon(sender.run)
            try:
                yield
            finally:
                self._tasks = None
                await self._finish()

    async def _finish(self) -> None:
        """The senders shield themselves: an attempt under way is not cut by the daemon's end."""
        try:
            with anyio.move_on_after(LAST_DELIVERIES, shield=True):
                for sender in self:
                    sender.close()
                for sender in self:
                    await sender.ended.wait()
        finally:
            for sender in self:
                sender.abandon()
