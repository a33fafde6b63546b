"""From what differs to what has to be done about it, in order: pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kahi.config.difference import ConfigDiff
from kahi.definition import GroupDefinition, ProcessDefinition


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a reload, one after the other; names are those of processes unless said otherwise.

    Args:
        stopped: all at once, in the order of any stop: dependants first, falling priority.
        discarded: of those, the ones that leave groups that stay.
        discarded_groups: names of groups that leave with all their processes.
        changed: groups that stay, as they are from now on.
        added: groups that come.
        redefined: processes that stay, as they are from now on.
        started: all at once, in the order of any start; of ``stopped`` only those that nobody else
            has stopped meanwhile.
    """

    stopped: tuple[str, ...]
    discarded: frozenset[str]
    discarded_groups: tuple[str, ...]
    changed: tuple[GroupDefinition, ...]
    added: tuple[GroupDefinition, ...]
    redefined: tuple[ProcessDefinition, ...]
    started: frozenset[str]


def plan(
    changes: ConfigDiff, active: Collection[str], wanted: Collection[str], ended: Collection[str]
) -> Plan:
    """What has to be done about ``changes``.

    Args:
        active: names of the groups that take part; others stay as they are.
        wanted: names of processes that are up, or on their way: an operator's word counts.
        ended: names of processes that ended by themselves, or could not be started.
    """
    changed = [change for change in changes.changed if change.definition.name in active]
    removed = [group for group in changes.removed if group.name in active]
    leaving = [name for change in changed for name in sorted(change.removed)]
    restarted = [name for change in changed for name in sorted(change.restarted)]
    redefined: list[ProcessDefinition] = []
    started: list[ProcessDefinition] = []
    for change in changed:
        for process in change.definition.processes:
            if process.name in change.restarted or process.name in change.live:
                redefined.append(process)
            comes_back = process.name in wanted or (process.autostart and process.name in ended)
            if (process.name in change.restarted and comes_back) or (
                process.name in change.added and process.autostart
            ):
                started.append(process)
    for group in changes.added:
        started += [process for process in group.processes if process.autostart]
    return Plan(
        stopped=(*(p.name for group in removed for p in group.processes), *leaving, *restarted),
        discarded=frozenset(leaving),
        discarded_groups=tuple(group.name for group in removed),
        changed=tuple(change.definition for change in changed),
        added=changes.added,
        redefined=tuple(redefined),
        started=frozenset(process.name for process in started),
    )
