"""Whether everything is up that should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kahi.lifecycle import State
from kahi.process import Process


@dataclass(frozen=True, slots=True)
class Readiness:
    """Names of processes that are not up yet, and of those that failed."""

    pending: Sequence[str]
    failing: Sequence[str]

    @property
    def ready(self) -> bool:
        """Whether there are neither."""
        return not (self.pending or self.failing)


def readiness_of(processes: Iterable[Process]) -> Readiness:
    """Judge processes: those that start by themselves, or those that somebody asks about."""
    pending: list[str] = []
    failing: list[str] = []
    for process in processes:
        if process.ready or _has_ended_as_expected(process):
            continue
        (failing if _has_failed(process) else pending).append(process.name)
    return Readiness(pending, failing)


def _has_ended_as_expected(process: Process) -> bool:
    return process.state is State.EXITED and process.expected_exit and not _restarts(process)


def _has_failed(process: Process) -> bool:
    """It needs a person, or is tried again after a failure."""
    if process.state in (State.FATAL, State.BACKOFF):
        return True
    if process.state is State.EXITED:
        return not _restarts(process)
    return process.health == "unhealthy"


def _restarts(process: Process) -> bool:
    return process.record.deadline is not None
