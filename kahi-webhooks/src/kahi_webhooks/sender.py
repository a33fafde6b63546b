"""One webhook at work: a queue, and a task that delivers what is in it, one after the other."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import anyio

from kahi.events import Event
from kahi_webhooks.circuit import FAILURES, PROBE_INTERVAL, Circuit
from kahi_webhooks.courier import Courier
from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.message import Message, message_of
from kahi_webhooks.notice import Notice, Origin, notice_of
from kahi_webhooks.selection import concerns
from kahi_webhooks.settings import WebhookSettings
from kahi_webhooks.templates import make_form

log = logging.getLogger(__name__)

QUEUE_LENGTH: Final = 256
"""Notices that wait at most; one more, and the oldest is dropped."""

Result = Literal["success", "failure", "dropped"]
RESULTS: Final[tuple[Result, ...]] = ("success", "failure", "dropped")

Pause = Callable[[float, anyio.Event], Awaitable[None]]


class Abandoned(Exception):
    """The daemon ends, and the receiver is not there."""


async def pause(seconds: float, until: anyio.Event) -> None:
    """Wait ``seconds``, or until the event is set."""
    with anyio.move_on_after(seconds):
        await until.wait()


class Sender:
    """Delivers to one webhook. Belongs to the event-loop thread.

    Args:
        clock: seconds that only ever grow.
        pause: how to wait.
    """

    def __init__(
        self,
        name: str,
        settings: WebhookSettings,
        origin: Origin,
        courier: Courier,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = pause,
    ) -> None:
        self.name = name
        self.settings = settings
        self.results: Counter[Result] = Counter(dict.fromkeys(RESULTS, 0))
        self.circuit = Circuit()
        self._origin = origin
        self._courier = courier
        self._clock = clock
        self._wait = pause
        self._form = make_form(settings.template, settings.routing_key.get_secret_value())
        self._queue: deque[Notice] = deque()
        self._news = anyio.Event()
        self._interruption = anyio.Event()
        self._closing = False
        self._scope: anyio.CancelScope | None = None
        self.ended = anyio.Event()
        """Set when `run` has returned."""
        self._current: Notice | None = None
        self._overflow = 0

    # What it is told

    def offer(self, event: Event) -> None:
        """Take an event, if it is one that this webhook wants. Never blocks."""
        notice = notice_of(event, self._origin)
        if not concerns(self.settings.processes, notice.name, notice.group) or not self._form.takes(notice):
            return
        if len(self._queue) >= QUEUE_LENGTH:
            self._queue.popleft()
            self._drop_one()
        self._queue.append(notice)
        self._news.set()

    def reconfigure(self, settings: WebhookSettings) -> None:
        """Take over other settings; what waits is sent by them."""
        before, self.settings = self.settings, settings
        if (before.template, before.routing_key) != (settings.template, settings.routing_key):
            self._form = make_form(settings.template, settings.routing_key.get_secret_value())
        if before.url != settings.url:
            self.circuit = Circuit()
            self._interrupt()

    # Its life

    async def run(self) -> None:
        """Deliver until `close`, and then what is left. Only `abandon` cuts it short."""
        self._closing = False
        self.ended = anyio.Event()
        try:
            with anyio.CancelScope(shield=True) as self._scope:
                await self._work()
        finally:
            self.ended.set()

    def close(self) -> None:
        """Wait for nothing any more: one attempt for each notice that is left."""
        self._closing = True
        self._interrupt()
        self._news.set()

    def abandon(self) -> None:
        """End at once; what is left is dropped."""
        if self._scope is not None:
            self._scope.cancel()
        left = len(self._queue) + (self._current is not None)
        self._queue.clear()
        self._current = None
        if left:
            self.results["dropped"] += left
            log.warning("webhook %s: ends with %d notices that were not delivered", self.name, left)

    async def _work(self) -> None:
        while True:
            while self._queue:
                self._current = self._queue.popleft()
                try:
                    await self._deliver(self._current)
                except Abandoned:
                    return
                self._current = None
            self._tell_overflow()
            if self._closing:
                return
            self._news = anyio.Event()
            await self._news.wait()

    def _interrupt(self) -> None:
        """Let whoever waits go on."""
        self._interruption.set()
        self._interruption = anyio.Event()

    # Delivery

    async def _deliver(self, notice: Notice) -> None:
        await self._courier.get_ready()
        from kahi_webhooks.retrying import repeated

        message = message_of(notice, self._form)
        attempts = 0

        async def attempt() -> int:
            nonlocal attempts
            attempts += 1
            return await self._attempt(message)

        try:
            status = await repeated(attempt, self.settings.retries, self._pause, self._is_closing)
        except AttemptFailed as error:
            self.results["failure"] += 1
            log.warning(
                "webhook %s: %s%s not delivered (attempts: %d): %s",
                self.name,
                notice.type,
                f" of {notice.name}" if notice.name else "",
                attempts,
                error,
            )
        else:
            self.results["success"] += 1
            log.debug("webhook %s: %s delivered, status %d", self.name, notice.type, status)

    async def _attempt(self, message: Message) -> int:
        while (seconds := self.circuit.wait(self._clock())) > 0:
            if self._closing:
                raise Abandoned
            await self._pause(seconds)
        was_open = self.circuit.is_open
        try:
            status = await self._courier.post(
                self.settings, message.body, message.headers(self.settings, time.time())
            )
        except AttemptFailed as error:
            self.circuit.failed(self._clock())
            if self.circuit.is_open and not was_open:
                log.error(
                    "webhook %s: %d attempts in a row failed, from now on there is one every %.0f s: %s",
                    self.name,
                    FAILURES,
                    PROBE_INTERVAL,
                    error,
                )
            raise
        self.circuit.succeeded()
        if was_open:
            log.info("webhook %s: works again", self.name)
        return status

    async def _pause(self, seconds: float) -> None:
        if not self._closing:
            await self._wait(seconds, self._interruption)

    def _is_closing(self) -> bool:
        return self._closing

    # Drops

    def _drop_one(self) -> None:
        self.results["dropped"] += 1
        if not self._overflow:
            log.warning(
                "webhook %s: more than %d notices wait, the oldest are dropped", self.name, QUEUE_LENGTH
            )
        self._overflow += 1

    def _tell_overflow(self) -> None:
        if self._overflow:
            log.warning("webhook %s: %d notices were dropped", self.name, self._overflow)
            self._overflow = 0
