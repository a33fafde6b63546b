"""Operations that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from kahi.errors import KahiError

log = logging.getLogger(__name__)


class Background:
    """Finishes what it is given, and logs what went wrong. Belongs to the event-loop thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[object]] = set()

    def run(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Begin ``work``; cancel the task to give it up."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, KahiError):
            log.warning("an operation in the background was given up: %s", error)
        elif error is not None:
            log.error("an operation in the background failed", exc_info=error)
