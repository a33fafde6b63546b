"""What is asked every few seconds, by people and by health checks; imports next to nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from kahi.cli.exitcodes import FAILED, FINE, NOT_RUNNING, UNKNOWN_NAME
from kahi.cli.terminal import complain, wants_color
from kahi_api.ctl.selection import choose, is_fine
from kahi_api.ctl.table import table
from kahi_api.ctl.target import Target

PATIENCE = 10.0
"""Seconds that the daemon has to answer a probe."""


def show_status(
    target: Target, names: Sequence[str], *, as_json: bool = False, no_color: bool = False
) -> int:
    """Print the processes that ``names`` stand for, all without names; returns the exit code."""
    with target.connect() as client:
        processes = client.raw_processes()
    shown, unknown = choose(processes, names)
    if as_json:
        _print(json.dumps(shown, indent=2))
    elif shown:
        _print("\n".join(table(shown, colored=not no_color and wants_color())))
    elif not names:
        _print("no processes are configured")
    for name in unknown:
        complain(f"no such process: {name}")
    if unknown:
        return UNKNOWN_NAME
    return FINE if all(map(is_fine, shown)) else NOT_RUNNING


def show_health(target: Target) -> int:
    """Print OK when the daemon works, otherwise what is wrong; returns the exit code."""
    with target.connect(wait=PATIENCE) as client:
        status = client.health()
    _print(status.upper().replace("_", " "))
    return FINE if status == "ok" else FAILED


def show_ready(target: Target, names: Sequence[str]) -> int:
    """Print READY, or which of the processes are not; returns the exit code.

    Args:
        names: which processes to ask for; all that start by themselves without.
    """
    with target.connect(wait=PATIENCE) as client:
        readiness = client.ready(names)
        if readiness.ready:
            _print("READY")
            return FINE
        states = {process["name"]: process["state"] for process in client.raw_processes()}
    waiting = [*readiness.failing, *readiness.pending]
    reasons = ", ".join(f"{name} ({states.get(name, 'UNKNOWN')})" for name in waiting)
    _print(f"NOT READY: {reasons}" if reasons else "NOT READY")
    return FAILED


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
