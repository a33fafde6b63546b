"""Processes and other things as JSON, in the fixed wire format.

The types are what the description of the API is made of; the functions fill them.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, WithJsonSchema, with_config
from typing_extensions import TypedDict

from kahi.lifecycle import State
from kahi.process import Process
from kahi.supervisor import Outcome, ReloadReport
from kahi.supervisor.group import Group
from kahi_api.errors import error_code

described = with_config(ConfigDict(use_attribute_docstrings=True))
"""Makes the docstrings of fields part of the description."""

StateName = Annotated[str, WithJsonSchema({"type": "string", "enum": [state.name for state in State]})]
StateCode = Annotated[int, WithJsonSchema({"type": "integer", "enum": [state.value for state in State]})]
ReportStatus = Literal["changed", "unchanged", "reloaded"]
HealthWord = Annotated[
    str, WithJsonSchema({"type": "string", "enum": ["none", "starting", "healthy", "unhealthy"]})
]


@described
class ProcessObject(TypedDict):
    """One process."""

    name: str
    """Unique over the whole daemon."""
    group: str
    state: StateName
    statecode: StateCode
    """The state as a number."""
    pid: int
    """0 when there is no child."""
    uptime: int
    """Whole seconds the child has lived, 0 when there is none."""
    description: str
    """What a person wants to know of it in its present state."""
    exitstatus: int
    """How the last child ended: its exit code, or 128 and the signal's number; -1 when unknown."""
    program: str
    """The table of the configuration that it comes from."""
    exit_signal: str | None
    """The signal that ended the last child."""
    spawn_error: str
    """Why the last start failed, empty when it did not."""
    started_at: str | None
    """When the present or last child was started (RFC 3339)."""
    stopped_at: str | None
    """When the last child ended (RFC 3339)."""
    restarts: int
    """How often it was started again by itself."""
    ready: bool
    """It runs, and is healthy where that is checked."""
    health: HealthWord
    priority: int
    stdout_logfile: str
    stderr_logfile: str
    memory_bytes: int | None
    """Resident memory of its process tree, null where it is not known."""
    cpu_percent: float | None
    """CPU time of its process tree in percent of one CPU, null where it is not known."""
    oneshot: bool
    """It runs to its end once."""
    expected_exit: bool
    """The last child ended with one of the expected exit codes."""


@described
class OutcomeObject(TypedDict):
    """What became of one process in an operation on several."""

    name: str
    ok: bool
    """It is now as was asked."""
    state: StateName
    error: str
    """Why it is not, empty when it is."""
    code: str
    """The code of the error, empty when there is none."""


@described
class GroupObject(TypedDict):
    """An active group."""

    name: str
    priority: int
    processes: list[str]
    """Names of its processes."""


@described
class GroupName(TypedDict):
    """A group that came or went."""

    name: str


@described
class ReportObject(TypedDict):
    """What a reload did, or would do."""

    status: ReportStatus
    added: list[str]
    """Names of groups."""
    changed: list[str]
    removed: list[str]
    warnings: list[str]
    """What is odd about the configuration."""
    restarted: dict[str, list[str]]
    """Processes that are restarted, and the keys that made it necessary."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="allow"))
class EventObject(TypedDict):
    """Something that happened; what belongs to its type stands beside these."""

    type: str
    serial: int
    """Grows with every event; gaps are events that are not kept, such as output."""
    time: str
    """When (RFC 3339)."""


@described
class PublishedObject(TypedDict):
    """An event that was published."""

    serial: int


@described
class ReadyObject(TypedDict):
    """Whether everything is up that should be."""

    status: Literal["ready", "not_ready"]
    pending: list[str]
    """Processes that are not up yet."""
    failing: list[str]
    """Processes that failed, or do not do their work."""


@described
class StatusObject(TypedDict):
    """One word."""

    status: str


@described
class PluginObject(TypedDict):
    """A plugin, and how it is."""

    name: str
    distribution: str
    version: str
    status: Literal["active", "disabled", "failed"]
    reason: str
    """Why it is disabled or failed."""
    requires: list[str]
    hooks: list[str]
    commands: list[str]
    tables: list[str]
    load_seconds: float
    errors: int
    """How often it raised where it should not."""
    stalls: int
    """How often it held the event loop for too long."""
    services: list[dict[str, Any]]


@described
class VersionObject(TypedDict):
    """What runs here."""

    version: str
    commit: str
    """What it was built from, "" when that is not known."""
    date: str
    """When that was committed."""
    pid: int
    python: str
    identifier: str
    """The configured name of this daemon."""
    fips: bool
    """It runs in FIPS mode."""
    plugins: list[PluginObject]
    """All plugins that were found."""


@described
class ErrorObject(TypedDict):
    """Why a request was refused or failed."""

    error: str
    """For people."""
    code: str
    """For programs."""


LIVING: Final = frozenset({"uptime", "description", "memory_bytes", "cpu_percent"})
"""What changes from one moment to the next while the state of a process does not."""


def process_object(process: Process) -> ProcessObject:
    """The object that describes one process, without what it uses."""
    end = process.exit
    state = process.state
    return {
        "name": process.name,
        "group": process.group,
        "state": state.name,
        "statecode": state.value,
        "pid": process.pid,
        "uptime": int(process.uptime),
        "description": describe(process),
        "exitstatus": 0 if end is None else end.status,
        "program": process.program,
        "exit_signal": None if end is None else end.signal_name,
        "spawn_error": process.spawn_error,
        "started_at": rfc3339(process.started_at),
        "stopped_at": rfc3339(process.stopped_at),
        "restarts": process.restarts,
        "ready": process.ready,
        "health": process.health,
        "priority": process.definition.priority,
        "stdout_logfile": process.stdout.logfile,
        "stderr_logfile": "" if process.stderr is None else process.stderr.logfile,
        "memory_bytes": None,
        "cpu_percent": None,
        "oneshot": process.definition.start.oneshot,
        "expected_exit": process.expected_exit,
    }


def describe(process: Process) -> str:
    """What a person wants to know of a process in its present state."""
    if process.waits_for:
        return process.waits_for
    remark = "" if process.health_monitor is None else process.health_monitor.remark
    match process.state:
        case State.RUNNING:
            up = f"pid {process.pid}, uptime {duration(process.uptime)}"
            return f"{up}, {remark}" if remark else up
        case State.STARTING if remark:
            return remark
        case State.FATAL | State.BACKOFF:
            return process.spawn_error
        case State.EXITED if process.exit is not None:
            return f"{process.exit}, {_local_time(process.stopped_at)}"
        case State.STOPPING if process.record.unkillable:
            return f"pid {process.pid} outlives SIGKILL"
        case State.STOPPED if process.stopped_at is not None:
            return f"stopped {_local_time(process.stopped_at)}"
        case _:
            return process.definition.description


def duration(seconds: float) -> str:
    """``1:02:03``, with days in front where there are any."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour}:{minute:02d}:{second:02d}"
    return f"{days} {'day' if days == 1 else 'days'}, {clock}" if days else clock


def rfc3339(seconds: float | None) -> str | None:
    """A moment as RFC 3339 in UTC with milliseconds."""
    if seconds is None:
        return None
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def _local_time(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%b %d %H:%M:%S", time.localtime(seconds))


def outcome_object(outcome: Outcome) -> OutcomeObject:
    """What became of one process in an operation on several."""
    error = "" if outcome.error is None else getattr(outcome.error, "message", str(outcome.error))
    code = "" if outcome.error is None else error_code(outcome.error)[1]
    return {
        "name": outcome.name,
        "ok": outcome.ok,
        "state": outcome.state.name,
        "error": error,
        "code": code,
    }


def group_object(group: Group) -> GroupObject:
    """The object that describes one group."""
    return {
        "name": group.name,
        "priority": group.priority,
        "processes": [process.name for process in group.processes],
    }


def report_object(report: ReloadReport, status: ReportStatus) -> ReportObject:
    """What a reload did, or would do."""
    return {
        "status": status,
        "added": list(report.added),
        "changed": list(report.changed),
        "removed": list(report.removed),
        "warnings": [str(warning) for warning in report.warnings],
        "restarted": {name: list(keys) for name, keys in report.restarted.items()},
    }
