"""The events that supervisord knows by name."""

from __future__ import annotations

from typing import Final

EVENTS: Final = frozenset(
    {
        "EVENT",
        "PROCESS_STATE",
        *(
            f"PROCESS_STATE_{state}"
            for state in (
                "STOPPED",
                "STARTING",
                "RUNNING",
                "BACKOFF",
                "STOPPING",
                "EXITED",
                "FATAL",
                "UNKNOWN",
            )
        ),
        "PROCESS_COMMUNICATION",
        "PROCESS_COMMUNICATION_STDOUT",
        "PROCESS_COMMUNICATION_STDERR",
        "PROCESS_LOG",
        "PROCESS_LOG_STDOUT",
        "PROCESS_LOG_STDERR",
        "REMOTE_COMMUNICATION",
        "SUPERVISOR_STATE_CHANGE",
        "SUPERVISOR_STATE_CHANGE_RUNNING",
        "SUPERVISOR_STATE_CHANGE_STOPPING",
        "PROCESS_GROUP",
        "PROCESS_GROUP_ADDED",
        "PROCESS_GROUP_REMOVED",
        "TICK",
        "TICK_5",
        "TICK_60",
        "TICK_3600",
    }
)
