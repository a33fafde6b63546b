"""Processes and other things as JSON, in the fixed wire format."""

from __future__ import annotations

import time
from typing import Any

from kahi.lifecycle import State
from kahi.process import Process
from kahi.supervisor import Outcome
from kahi_api.errors import error_code


def process_object(process: Process) -> dict[str, Any]:
    """The object that describes one process."""
    end = process.exit
    state = process.state
    return {
        "name": process.name,
        "group": process.group,
        "state": state.name,
        "statecode": int(state),
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
    match process.state:
        case State.RUNNING:
            return f"pid {process.pid}, uptime {duration(process.uptime)}"
        case State.FATAL | State.BACKOFF:
            return process.spawn_error
        case State.EXITED if process.exit is not None:
            return f"{process.exit}, {_local_time(process.stopped_at)}"
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


def outcome_object(outcome: Outcome) -> dict[str, Any]:
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
