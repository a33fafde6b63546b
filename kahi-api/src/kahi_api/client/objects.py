"""What the daemon tells, as typed values; times are RFC 3339, durations whole seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the daemon describes it."""

    name: str
    group: str
    state: str
    statecode: int
    pid: int
    uptime: int
    description: str
    exitstatus: int
    program: str = ""
    exit_signal: str | None = None
    spawn_error: str = ""
    started_at: str | None = None
    stopped_at: str | None = None
    restarts: int = 0
    ready: bool = False
    health: str = "none"
    priority: int = 999
    stdout_logfile: str = ""
    stderr_logfile: str = ""
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    oneshot: bool = False
    expected_exit: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one process in an operation; ``error`` is "" when it is as was asked."""

    name: str
    ok: bool
    state: str
    error: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """An active group, and the names of its processes."""

    name: str
    priority: int
    processes: list[str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update would do, or did, to groups.

    ``restarted`` names processes, and the keys of the configuration because of which.
    """

    status: str
    added: list[str]
    changed: list[str]
    removed: list[str]
    warnings: list[str]
    restarted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Version:
    """What runs there; of each plugin its ``name``, ``status``, ``reason``, ``errors`` and more."""

    version: str
    pid: int
    python: str = ""
    identifier: str = ""
    fips: bool = False
    commit: str = ""
    date: str = ""
    plugins: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether all is up that should be; names of processes that are not yet, and that failed."""

    ready: bool
    pending: list[str]
    failing: list[str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; ``data`` holds what belongs to its type."""

    type: str
    serial: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A piece of a log.

    Args:
        offset: that after its last byte.
        missed: bytes before it that are gone.
        is_reset: the log is another one than before; what follows is its end.
        stream: which one it is from, where several are followed at once.
    """

    data: bytes
    offset: int
    missed: int = 0
    is_reset: bool = False
    stream: str = ""


ObjectT = TypeVar("ObjectT")


def made(kind: type[ObjectT], entry: Mapping[str, Any]) -> ObjectT:
    """An object from JSON, without the fields that a newer daemon may have added."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in entry.items() if key in names})
