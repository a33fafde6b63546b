"""Stopping processes together, in order, and who meant to start them again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from kahi.definition import ProcessDefinition
from kahi.lifecycle import SETTLED
from kahi.process import Process
from kahi.supervisor.dependencies import Dependencies
from kahi.supervisor.ordering import stop_waves
from kahi.supervisor.recovery import Recovery
from kahi.supervisor.roster import Roster


class Stopping:
    """Stops processes of the roster. Belongs to the event-loop thread.

    Args:
        before: awaited before each wave of processes is stopped.
    """

    def __init__(
        self,
        roster: Roster,
        dependencies: Dependencies,
        recovery: Recovery,
        before: Callable[[Sequence[ProcessDefinition]], Awaitable[None]],
    ) -> None:
        self._roster = roster
        self._dependencies = dependencies
        self._recovery = recovery
        self._before = before
        self._returning: dict[str, object] = {}
        """By process: who stopped it last, to start it again; None for a stop that is meant to last."""

    async def stop(self, processes: Sequence[Process], *, returning: object = None) -> None:
        """Stop what can be stopped of ``processes``, and wait until all of it is gone.

        Falling priority, dependants first, each wave once the last is gone. One that outlives
        SIGKILL is not waited for.

        Args:
            returning: given by whoever means to start them again, and asks with ``returns`` whether
                that is still wanted.
        """
        for process in processes:
            self._returning[process.name] = returning
            self._call_off(process)
        for wave in stop_waves([p.definition for p in processes], self._roster.priorities):
            await self._before(wave)
            members = self._roster.present(wave)
            for process in members:
                # While those before it ended, it may have failed, and be about to come back.
                self._call_off(process)
                if self.can_stop(process):
                    process.stop()
            # All at once: who is down first may be up again before the last is down.
            for down in [process.when_down() for process in members]:
                await down

    def can_stop(self, process: Process) -> bool:
        """Whether ``process`` is up, or would come up by itself."""
        if self._dependencies.is_waiting(process) or self._recovery.is_pending(process):
            return True
        return process.state not in SETTLED or process.record.deadline is not None

    def returns(self, process: Process, returning: object) -> bool:
        """Whether nobody has asked for a stop of ``process`` after the one with ``returning``."""
        return process in self._roster and self._returning.get(process.name) is returning

    def is_to_return(self, name: str) -> bool:
        """Whether the last stop of a process was to start it again, whoever asked for it."""
        return self._returning.get(name) is not None

    def forget(self, process: Process) -> None:
        """``process`` leaves the configuration."""
        self._returning.pop(process.name, None)

    def _call_off(self, process: Process) -> None:
        """Have a start of ``process`` that is to come not come."""
        self._dependencies.cancel(process)
        self._recovery.cancel(process)
