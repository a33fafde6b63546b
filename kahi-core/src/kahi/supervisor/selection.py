"""Which processes a person means: names, ``group:*``, ``group:process``, globs, ``all``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from kahi.errors import NoSuchGroup, NoSuchProcess
from kahi.process import Process
from kahi.supervisor.group import Group

_WILDCARDS = frozenset("*?[")


def select(
    targets: Sequence[str], processes: Mapping[str, Process], groups: Mapping[str, Group]
) -> list[Process]:
    """The processes that ``targets`` name, in the order of the targets, each once.

    Raises:
        NoSuchProcess: a name, or a pattern that matches nothing.
        NoSuchGroup: ``group:*`` of an unknown group.
    """
    found: dict[str, Process] = {}
    for target in targets:
        for process in _matching(target, processes, groups):
            found[process.name] = process
    return list(found.values())


def is_exact(target: str) -> bool:
    """Whether ``target`` names one process, as opposed to a group, a pattern or all."""
    return target != "all" and not _WILDCARDS.intersection(target)


def _matching(target: str, processes: Mapping[str, Process], groups: Mapping[str, Group]) -> list[Process]:
    if target == "all":
        return list(processes.values())
    group_name, colon, name = target.partition(":")
    if not colon:
        members, pattern = list(processes.values()), target
    elif _WILDCARDS.intersection(group_name):
        members = [p for p in processes.values() if fnmatchcase(p.group, group_name)]
        pattern = name
    elif group_name in groups:
        members, pattern = groups[group_name].processes, name
    else:
        raise NoSuchGroup(group_name)
    if _WILDCARDS.intersection(pattern):
        matching = [process for process in members if fnmatchcase(process.name, pattern)]
        if not matching and pattern != "*":
            raise NoSuchProcess(target)
        return matching
    for process in members:
        if process.name == pattern:
            return [process]
    raise NoSuchProcess(target)
