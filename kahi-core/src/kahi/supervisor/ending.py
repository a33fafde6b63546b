"""The end of the daemon: in order, within its time, and with an exit code that says how it went."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import anyio

from kahi.events import SupervisorStateEvent
from kahi.lifecycle import KILL_GRACE, SETTLED, State
from kahi.process import Process

if TYPE_CHECKING:
    from kahi.supervisor.supervisor import Supervisor

log = logging.getLogger(__name__)

FAILED: Final = 1
"""Exit code when a process could not be brought down, or one that never ran ended the daemon."""


class Ending:
    """Decides that the daemon ends, and ends it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._requested = anyio.Event()
        self._hurried = anyio.Event()
        self.begun = False
        self.exit_code = 0
        """What the daemon exits with."""

    def request(self, reason: str, *, exit_code: int = 0) -> None:
        """Begin to shut down; the first request decides reason and exit code.

        From here on nothing is started or restarted any more.
        """
        if self.begun:
            return
        self.begun = True
        self.exit_code = exit_code
        log.info("shutting down: %s", reason)
        self._supervisor.hold()
        self._supervisor.events.publish(SupervisorStateEvent(state="STOPPING"))
        self._requested.set()

    def hurry(self) -> None:
        """Kill at once what is still there: the second request."""
        self._hurried.set()

    async def wait(self) -> None:
        """Return when somebody requested the end."""
        await self._requested.wait()

    async def stop_everything(self) -> None:
        """Stop all processes in order, at most `shutdown_timeout` seconds; then kill the rest."""
        supervisor = self._supervisor
        everything = list(supervisor.processes.values())
        with anyio.move_on_after(supervisor.settings.shutdown_timeout):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._cancel_when_hurried, tasks.cancel_scope)
                await supervisor.stop(everything)
                tasks.cancel_scope.cancel()
        await self._kill_rest(everything)

    async def _cancel_when_hurried(self, scope: anyio.CancelScope) -> None:
        await self._hurried.wait()
        scope.cancel()

    async def _kill_rest(self, processes: list[Process]) -> None:
        rest = [process for process in processes if process.state not in SETTLED]
        for process in rest:
            log.warning("%s: killed, it was still %s", process.name, process.state.name)
            if process.state is not State.STOPPING:
                process.stop()
            process.kill()
        with anyio.move_on_after(KILL_GRACE):
            for process in rest:
                await process.when(SETTLED.__contains__)
        for process in rest:
            if process.state not in SETTLED:
                log.error("%s: pid %d survived SIGKILL and is left behind", process.name, process.pid)
                self.exit_code = self.exit_code or FAILED

    def consider(self, process: Process) -> None:
        """End the daemon if the change of ``process`` is what `exit_when` or `critical` names."""
        if self.begun or process.state not in (State.EXITED, State.FATAL):
            return
        if process.record.deadline is not None:
            return
        # A listener that dies hurts nobody, unless it is critical itself.
        rule = "never" if process.definition.listener else self._supervisor.settings.exit_when
        if process.definition.critical:
            self._end_because_of(process, "it is critical")
        elif (
            (rule == "any-exited" and process.state is State.EXITED)
            or (rule in ("any-exited", "any-fatal") and process.state is State.FATAL)
            or (rule == "all-exited" and all(map(_has_ended, self._supervisor.processes.values())))
        ):
            self._end_because_of(process, f"exit_when = {rule!r}")

    def _end_because_of(self, process: Process, why: str) -> None:
        status = FAILED if process.exit is None or process.failed_to_spawn else process.exit.status
        if status < 0 or (process.state is State.FATAL and status == 0):
            status = FAILED
        self.request(f"{process.name} is {process.state.name} and {why}", exit_code=status)


def _has_ended(process: Process) -> bool:
    """Whether it is over; event listeners live for the others, so they count as if they were."""
    if process.definition.listener is not None:
        return True
    return process.state in SETTLED and process.record.deadline is None and not process.waits_for
