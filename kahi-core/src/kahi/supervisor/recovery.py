"""Restarting processes that run but do not do their work, whoever noticed it."""

from __future__ import annotations

import asyncio
import logging

import anyio

from kahi.errors import KahiError
from kahi.lifecycle import MINIMUM_START_INTERVAL, State, backoff_delay
from kahi.process import Process
from kahi.supervisor.background import Background
from kahi.system import System

log = logging.getLogger(__name__)


class Recovery:
    """Stops processes and starts them again, never in a hot loop. Belongs to the event-loop thread.

    A process that fails again and again comes back later each time, by its ``backoff``, until it
    has ``settled`` or has lived for the longest delay. A stop or a start by request meanwhile has
    its way.
    """

    def __init__(self, background: Background, system: System) -> None:
        self._background = background
        self._system = system
        self._pending: dict[Process, asyncio.Task[object]] = {}
        self._failures: dict[str, int] = {}
        self._held = False

    def restart(self, process: Process, reason: str) -> None:
        """Stop ``process`` and start it again; nothing when that is under way, or it is not up."""
        if self._held or process in self._pending:
            return
        if process.state not in (State.STARTING, State.RUNNING):
            return
        backoff = process.definition.start.backoff
        if process.uptime >= backoff.maximum:
            self.settled(process)
        failures = self._failures.get(process.name, 0)
        self._failures[process.name] = failures + 1
        delay = backoff_delay(backoff, failures, 0.0) if failures else 0.0
        log.warning("%s: restarted: %s", process.name, reason)
        process.restarts += 1
        process.waits_for = f"restarts: {reason}"
        process.stop()
        work = self._start_again(process, delay)
        self._pending[process] = self._background.run(work)

    def settled(self, process: Process) -> None:
        """``process`` does its work: its next failure is the first."""
        self._failures.pop(process.name, None)

    def is_pending(self, process: Process) -> bool:
        """Whether ``process`` is about to come back."""
        return process in self._pending

    def cancel(self, process: Process) -> None:
        """Leave ``process`` as it is; nothing when no restart is under way."""
        task = self._pending.pop(process, None)
        if task is not None:
            process.waits_for = ""
            task.cancel()

    def hold(self) -> None:
        """Restart nothing any more."""
        self._held = True
        for process in tuple(self._pending):
            self.cancel(process)

    def forget(self, process: Process) -> None:
        """``process`` leaves the configuration."""
        self.cancel(process)
        self.settled(process)

    async def _start_again(self, process: Process, delay: float) -> None:
        try:
            await process.when(lambda state: state is State.STOPPED)
            earliest = process.record.started_at + MINIMUM_START_INTERVAL
            await anyio.sleep(max(delay, earliest - self._system.monotonic()))
            self._pending.pop(process, None)
            process.waits_for = ""
            process.start()
        except KahiError as error:
            log.debug("%s: not started again: %s", process.name, error)
