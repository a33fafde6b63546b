"""How a change of state is told: one line in the log, one event on the bus."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kahi.events import ProcessStateEvent
from kahi.lifecycle import State

if TYPE_CHECKING:
    from kahi.process.process import Process

log = logging.getLogger(__name__)


def log_change(process: Process) -> None:
    """Log the state that ``process`` is in now."""
    record = process.record
    match record.state:
        case State.RUNNING:
            log.info("%s: running, pid %d", process.name, process.pid)
        case State.EXITED if record.exit is not None:
            remark = "expected" if record.expected else "not expected"
            log.info("%s: %s (%s)", process.name, record.exit, remark)
        case State.BACKOFF:
            log.warning("%s: start %d failed: %s", process.name, record.failures, record.failure)
        case State.FATAL:
            log.error("%s: given up: %s", process.name, record.failure)
        case State.STOPPED:
            log.info("%s: stopped", process.name)
        case _:
            log.debug("%s: %s", process.name, record.state.name)


def change_event(process: Process, before: State) -> ProcessStateEvent:
    """The event of the step from ``before`` to the present state; its pid is that of the last child."""
    record = process.record
    ended = record.exit if record.state in (State.EXITED, State.BACKOFF, State.FATAL) else None
    return ProcessStateEvent(
        name=process.name,
        group=process.group,
        state=record.state.name,
        from_state=before.name,
        pid=process.pid,
        tries=record.failures,
        expected=record.expected,
        exitstatus=0 if ended is None else ended.status,
        exit_signal=None if ended is None else ended.signal_name,
        spawn_error=record.failure,
    )
