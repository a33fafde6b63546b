"""Processes as the page shows them: the same values for the first view and for what changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kahi.lifecycle import State
from kahi_api.objects import describe
from kahi_webui import wording

if TYPE_CHECKING:
    from kahi.process import Process
    from kahi_webui.state import WebUi

STATES = ("FATAL", "BACKOFF", "STARTING", "STOPPING", "RUNNING", "EXITED", "STOPPED")
"""In the order in which somebody wants to know of them."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of ``count`` processes, and those of them that are shown.

    One that holds a single process of the same name needs no heading.
    """

    name: str
    count: int
    is_shown: bool
    processes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Summary:
    """How many processes are in each state, and the title that says it."""

    counts: tuple[tuple[str, int], ...]
    title: str


def changing(process: Process, site: WebUi) -> dict[str, Any]:
    """What a page that is open has to be told of a process, JSON-ready."""
    return {
        "name": process.name,
        "state": process.state.name,
        "since": process.started_at if process.uptime else None,
        "pid": process.pid,
        "restarts": process.restarts,
        "health": process.health,
        "description": describe(process),
        "remark": remark(process),
        "troubled": is_troubled(process),
        "critical": process.definition.critical,
        "columns": site.column_values(process),
    }


def row(process: Process, site: WebUi, now: float) -> dict[str, Any]:
    """What a row of the overview shows."""
    usage = site.latest.get(process.name)
    return changing(process, site) | {
        "uptime_text": wording.uptime(process.uptime),
        "cpu_text": "" if usage is None else wording.percent(usage.cpu_percent),
        "memory_text": "" if usage is None else wording.size(usage.memory),
        "spans": site.timelines.spans(process.name, process.state.name, now),
    }


def blank_row(columns: int) -> dict[str, Any]:
    """The row of no process, which scripts fill for one that comes later."""
    return {
        "name": "",
        "state": "STOPPED",
        "since": None,
        "pid": 0,
        "restarts": 0,
        "health": "none",
        "remark": "",
        "troubled": False,
        "critical": False,
        "columns": [""] * columns,
        "uptime_text": "",
        "cpu_text": "",
        "memory_text": "",
        "spans": [],
    }


def remark(process: Process) -> str:
    """The description without what has a column of its own."""
    if process.state is State.RUNNING and not process.waits_for:
        return process.definition.description
    return describe(process)


def is_troubled(process: Process) -> bool:
    """Whether a person should look at it."""
    if process.state in (State.FATAL, State.BACKOFF):
        return True
    return process.health == "unhealthy" or (process.state is State.EXITED and not process.expected_exit)


def chosen(site: WebUi, words: str = "", state: str = "") -> list[Process]:
    """The processes that a filter leaves, in the order in which they are shown.

    Args:
        words: all of them have to occur in name, group, state or remark.
        state: the only one that counts, "" for any.
    """
    wanted = words.lower().split()
    return [
        process
        for group in site.supervisor.groups.values()
        for process in group.processes
        if (not state or process.state.name == state) and _matches(process, wanted)
    ]


def groups(site: WebUi, processes: Sequence[Process], now: float) -> list[GroupView]:
    """``processes`` in their groups."""
    members: dict[str, list[dict[str, Any]]] = {}
    for process in processes:
        members.setdefault(process.group, []).append(row(process, site, now))
    found: list[GroupView] = []
    for name, rows in members.items():
        all_of_it = site.supervisor.groups[name].processes
        is_shown = len(all_of_it) > 1 or all_of_it[0].name != name
        found.append(GroupView(name, len(all_of_it), is_shown, rows))
    return found


def _matches(process: Process, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    text = f"{process.name} {process.group} {process.state.name} {remark(process)}".lower()
    return all(word in text for word in wanted)


def summary(site: WebUi) -> Summary:
    """Counts of all processes by state."""
    counts = dict.fromkeys(STATES, 0)
    for process in site.supervisor.processes.values():
        counts[process.state.name] += 1
    bad = [f"{counts[state]} {state}" for state in ("FATAL", "BACKOFF") if counts[state]]
    return Summary(tuple(counts.items()), " · ".join([*bad, f"{counts['RUNNING']} RUNNING"]))
