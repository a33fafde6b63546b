"""Starting processes together: in order, what they need before them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import anyio.lowlevel

from kahi.definition import Condition, ProcessDefinition
from kahi.errors import AlreadyStarted, KahiError, NoSuchProcess, ShuttingDown
from kahi.lifecycle import SETTLED, State
from kahi.process import Process
from kahi.supervisor.dependencies import Dependencies, is_met
from kahi.supervisor.ordering import start_order, with_dependencies
from kahi.supervisor.outcome import Outcome, start_outcome
from kahi.supervisor.recovery import Recovery
from kahi.supervisor.roster import Roster
from kahi.system import System

TURN: Final = 0.02
"""Seconds of starting processes after which the event loop gets a turn."""


class Starting:
    """Starts processes of the roster. Belongs to the event-loop thread."""

    def __init__(
        self, roster: Roster, dependencies: Dependencies, recovery: Recovery, system: System
    ) -> None:
        self._roster = roster
        self._dependencies = dependencies
        self._recovery = recovery
        self._system = system

    async def start(
        self, processes: Sequence[Process], *, wait: bool, strict: bool, on_request: bool
    ) -> list[Outcome]:
        """Start processes in priority order; the arguments are those of `Supervisor.start`."""
        errors: dict[str, KahiError] = {}
        pending: dict[str, asyncio.Future[None]] = {}
        must_be_down = {process.name for process in processes} if strict else frozenset[str]()
        turn_ends = self._system.monotonic() + TURN
        for process in self._in_order(processes, with_needed=on_request):
            try:
                started = self._begin(process, must_be_down=process.name in must_be_down)
            except KahiError as error:
                errors[process.name] = error
            else:
                if started is not None:
                    pending[process.name] = started
            if self._system.monotonic() >= turn_ends:
                await anyio.lowlevel.checkpoint()
                turn_ends = self._system.monotonic() + TURN
        outcomes: list[Outcome] = []
        for process in processes:
            if process.name in errors:
                outcomes.append(Outcome(process.name, process.state, errors[process.name]))
            elif wait and process.name in pending:
                outcomes.append(await _first_attempt(process, pending[process.name]))
            else:
                outcomes.append(Outcome(process.name, process.state))
        return outcomes

    def _in_order(self, processes: Sequence[Process], *, with_needed: bool) -> list[Process]:
        wanted = [process.definition for process in processes]
        if with_needed:
            wanted = with_dependencies(wanted, self._unmet)
        return self._roster.present(start_order(wanted, self._roster.priorities))

    def _unmet(self, name: str, condition: Condition) -> list[ProcessDefinition]:
        return [p.definition for p in self._roster.named(name) if not is_met(condition, p)]

    def _begin(self, process: Process, *, must_be_down: bool) -> asyncio.Future[None] | None:
        """Start one process; returns what `Dependencies.start` does, None when it is up already."""
        # The first two happened while others had their turn.
        if process.record.held:
            raise ShuttingDown
        if process not in self._roster:
            raise NoSuchProcess(process.name)
        if process.state in (State.STARTING, State.RUNNING):
            if must_be_down:
                raise AlreadyStarted(process.name)
            return None
        if process.state in SETTLED:
            self._recovery.cancel(process)
        return self._dependencies.start(process)


async def _first_attempt(process: Process, started: asyncio.Future[None]) -> Outcome:
    try:
        await asyncio.shield(started)
    except KahiError as error:
        return Outcome(process.name, process.state, error)
    decided = await process.when(lambda state: state is not State.STARTING)
    return start_outcome(process, decided)
