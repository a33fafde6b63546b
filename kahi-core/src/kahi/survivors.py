"""Children that outlive a daemon which died: ended by its guardian, or by the next one that starts."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Sequence
from typing import Final

from kahi.ledger import Entry, left_of
from kahi.system import System

log = logging.getLogger(__name__)

GRACE: Final = 3.0
"""Seconds from SIGTERM to SIGKILL."""

LAST_WAIT: Final = 5.0
"""Seconds that SIGKILL is given to take effect."""

RECHECK: Final = 0.05


def end_survivors(system: System, entries: Sequence[Entry]) -> list[Entry]:
    """End those of ``entries`` that are still there, with their groups and sessions; may take seconds.

    Returns:
        Who was there.
    """
    rest = left_of(entries, system.process_table()) if entries else {}
    found = list(rest)
    for entry, members in rest.items():
        log.warning("%s: pid %d is left of a daemon that died, ending it", entry.name, entry.pid)
        _send(system, members, signal.SIGTERM)
        _send(system, members, signal.SIGCONT)
    begin = time.monotonic()
    killed = False
    while rest:
        time.sleep(RECHECK)
        rest = left_of(found, system.process_table())
        waited = time.monotonic() - begin
        if waited >= GRACE and not killed:
            killed = True
            for members in rest.values():
                _send(system, members, signal.SIGKILL)
        elif waited >= GRACE + LAST_WAIT:
            for entry, members in rest.items():
                log.error("%s: pids %s are still there after SIGKILL", entry.name, members)
            break
    return found


def _send(system: System, pids: Sequence[int], signum: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            system.kill(pid, signum)
