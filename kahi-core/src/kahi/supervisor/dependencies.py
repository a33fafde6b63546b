"""Starts that wait for other processes (``depends_on``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kahi.definition import Condition
from kahi.errors import KahiError, ProcessError
from kahi.lifecycle import State
from kahi.process import Process


def is_met(condition: Condition, process: Process) -> bool:
    """Whether ``process`` is in the condition that somebody depends on."""
    if condition == "running":
        return process.state is State.RUNNING
    if condition == "healthy":
        return process.ready
    return process.state is State.EXITED and process.expected_exit


@dataclass(slots=True, eq=False)
class _Waiting:
    process: Process
    started: asyncio.Future[None]


class Dependencies:
    """Starts each process once what it depends on is there, and says meanwhile what it waits for.

    Args:
        find: the processes that a name in ``depends_on`` stands for, none when it is gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, find: Callable[[str], Sequence[Process]]) -> None:
        self._loop = loop
        self._find = find
        self._waiting: dict[str, _Waiting] = {}

    def start(self, process: Process) -> asyncio.Future[None]:
        """Start ``process`` now, or as soon as its conditions hold.

        Returns:
            A future that is done when it was started, or that fails with a ProcessError once a
            condition can not come true without a person (it goes on waiting all the same).

        Raises:
            KahiError: it can be started at once, and that was refused.
        """
        waiting = self._waiting.get(process.name)
        if waiting is not None and not waiting.started.done():
            return waiting.started
        waiting = _Waiting(process, self._loop.create_future())
        if self._unmet(process):
            self._waiting[process.name] = waiting
            self._consider(waiting)
        else:
            self._waiting.pop(process.name, None)
            process.waits_for = ""
            process.start()
            waiting.started.set_result(None)
        return waiting.started

    def cancel(self, process: Process) -> bool:
        """Stop waiting on behalf of ``process``; returns whether it was waiting."""
        waiting = self._waiting.pop(process.name, None)
        if waiting is None:
            return False
        process.waits_for = ""
        _settle(waiting, ProcessError(process.name, "stopped while it waited"))
        return True

    def cancel_all(self) -> None:
        """Nothing is started any more."""
        for waiting in tuple(self._waiting.values()):
            self.cancel(waiting.process)

    def is_waiting(self, process: Process) -> bool:
        """Whether a start of ``process`` is pending here."""
        return process.name in self._waiting

    def reconsider(self) -> None:
        """Look again at everybody that waits; to be called after each change of state or health."""
        for waiting in tuple(self._waiting.values()):
            # Starting one makes others be looked at before their turn comes here.
            if self._waiting.get(waiting.process.name) is waiting:
                self._consider(waiting)

    def _consider(self, waiting: _Waiting) -> None:
        process = waiting.process
        unmet = self._unmet(process)
        if unmet:
            process.waits_for = "waits for " + ", ".join(text for text, _ in unmet)
            hopeless = [text for text, is_hopeless in unmet if is_hopeless]
            if hopeless:
                _settle(waiting, ProcessError(process.name, "waits for " + ", ".join(hopeless)))
            return
        self._waiting.pop(process.name, None)
        process.waits_for = ""
        try:
            process.start()
        except KahiError as error:
            _settle(waiting, error)
        else:
            _settle(waiting, None)

    def _unmet(self, process: Process) -> list[tuple[str, bool]]:
        """What ``process`` still needs, in words, and whether that takes a person."""
        found: list[tuple[str, bool]] = []
        for name, condition in process.definition.depends_on:
            wanted = "have exited" if condition == "exited" else f"be {condition}"
            candidates = self._find(name)
            if not candidates:
                found.append((f"{name} to {wanted}, which is not there", True))
            for needed in candidates:
                if not is_met(condition, needed):
                    hopeless = _hopeless(needed)
                    found.append((f"{needed.name} to {wanted}{hopeless}", bool(hopeless)))
        return found


def _hopeless(needed: Process) -> str:
    """Why ``needed`` will not get anywhere by itself, "" when it may."""
    if needed.state is State.FATAL:
        return ", which is FATAL"
    if needed.state is State.EXITED and needed.record.deadline is None:
        return f", which has ended ({needed.exit})"
    return ""


def _settle(waiting: _Waiting, error: KahiError | None) -> None:
    if waiting.started.done():
        return
    if error is None:
        waiting.started.set_result(None)
    else:
        waiting.started.set_exception(error)
        # Nobody may be listening; that is no reason for a warning.
        waiting.started.exception()
