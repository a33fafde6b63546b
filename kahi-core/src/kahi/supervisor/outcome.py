"""What became of an operation on one process."""

from __future__ import annotations

from dataclasses import dataclass

from kahi.errors import AbnormalTermination, KahiError, NotRunning, ProcessError, StartFailed
from kahi.lifecycle import State
from kahi.process import Process


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an operation for one process; ``error`` is None when all went well."""

    name: str
    state: State
    error: KahiError | None = None

    @property
    def ok(self) -> bool:
        """Whether the process is now as was asked."""
        return self.error is None


def start_outcome(process: Process, decided: State) -> Outcome:
    """Judge the first attempt of a start by the state that decided it."""
    name = process.name
    if decided is State.RUNNING or (decided is State.EXITED and process.expected_exit):
        return Outcome(name, decided)
    if decided in (State.BACKOFF, State.FATAL, State.EXITED):
        reason = process.spawn_error or str(process.exit)
        failure = StartFailed if process.failed_to_spawn else AbnormalTermination
        return Outcome(name, decided, failure(name, reason))
    return Outcome(name, decided, ProcessError(name, "stopped before it was up"))


def stop_outcome(process: Process, *, was_running: bool) -> Outcome:
    """Judge a stop once nobody waits for it any more."""
    error: KahiError | None = None
    if not was_running:
        error = NotRunning(process.name)
    elif process.record.unkillable:
        error = ProcessError(process.name, f"pid {process.pid} outlives SIGKILL")
    return Outcome(process.name, process.state, error)


def overtaken_outcome(process: Process, *, returns: bool) -> Outcome:
    """Judge a restart after which somebody else has stopped the process, or restarts it too."""
    error = None if returns else ProcessError(process.name, "stopped meanwhile")
    return Outcome(process.name, process.state, error)
