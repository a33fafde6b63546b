"""Who runs, as the kernel tells it."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

TAG = "KAHI_CHAOS"
"""The environment variable that everything which a chaos run starts has, with a value of that run's own."""

GUARDIAN = "kahi-guardian"
PROGRAMS = (b"/writer.py", b"/recording_listener.py")
"""What the programs of a run are, and nothing else that the daemon starts for them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A process with the tag.

    Args:
        name: what Kahi calls it; "" for the daemon and its helpers.
        leads: whether it is the one that Kahi has started, and not a descendant of it nor a probe.
        program: what it executes, as the kernel names it.
        started: clock ticks from the boot to its start: with the pid, it is known for certain.
    """

    pid: int
    name: str
    leads: bool
    program: str
    started: int


def tagged(value: str) -> list[Seen]:
    """All processes with the tag, zombies apart."""
    wanted = f"{TAG}={value}".encode()
    found: list[Seen] = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if wanted not in environ:
                continue
            name = next((each[23:] for each in environ if each.startswith(b"SUPERVISOR_PROCESS_NAME")), b"")
            program, state, rest = _stat(pid)
            if state not in "ZX":
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                leads = int(rest[2]) == pid and any(word.endswith(PROGRAMS) for word in words)
                found.append(Seen(pid, name.lstrip(b"=").decode(), leads, program, int(rest[18])))
    return found


def zombies_of(parent: int) -> set[int]:
    """Children that have ended, and that nobody has reaped yet."""
    found: set[int] = set()
    for pid in _pids():
        with contextlib.suppress(OSError):
            _, state, rest = _stat(pid)
            if state == "Z" and int(rest[0]) == parent:
                found.add(pid)
    return found


def is_still_there(seen: Seen) -> bool:
    """Whether a process that was seen lives."""
    try:
        _, state, rest = _stat(seen.pid)
    except OSError:
        return False
    return state not in "ZX" and int(rest[18]) == seen.started


def send(seen: Seen, number: int) -> None:
    """Send a signal to a process that was seen."""
    if is_still_there(seen):
        with contextlib.suppress(ProcessLookupError):
            os.kill(seen.pid, number)


def wake(processes: list[Seen]) -> None:
    """Have those go on that were stopped."""
    for each in processes:
        send(each, signal.SIGCONT)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> tuple[str, str, list[str]]:
    """Name, state, and the fields from the parent's pid on."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    name = text[text.index("(") + 1 : text.rindex(")")]
    state, *rest = text[text.rindex(")") + 2 :].split()
    return name, state, rest
