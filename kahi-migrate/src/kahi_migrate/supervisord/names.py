"""What programs, groups and processes are called in Kahi, where fewer names are possible.

In supervisord a process is unique in its group; a program that is in a group leaves its own name
free for another. In Kahi, programs, processes and groups are unique each, and a group is called like
a program only when it is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kahi.config.values import check_name
from kahi_migrate.supervisord.resolved import Group, Program

_FORBIDDEN: Final = ":/*?[],"
_LONGEST: Final = 128

Key = tuple[str, str]
"""A program as member of a group: its section, and the name of the group."""


@dataclass(slots=True)
class Names:
    """What everything is called.

    Args:
        groups: by the name in supervisord, those of ``[group:x]`` only.
        programs: the name of the table of each program.
        prefixes: what has to stand before the names of a program's processes.
    """

    groups: dict[str, str] = field(default_factory=dict[str, str])
    programs: dict[Key, str] = field(default_factory=dict[Key, str])
    prefixes: dict[Key, str] = field(default_factory=dict[Key, str])


def find_names(groups: Iterable[Group]) -> Names:
    """Names that Kahi takes, as near to the old ones as possible."""
    names = Names()
    groups = [group for group in groups if not group.shadowed_by]
    for group in groups:
        if group.section.startswith("group:"):
            names.groups[group.name] = _free(possible(group.name), names.groups.values())
    members = [program for group in groups for program in group.programs]
    for program in members:
        names.programs[key(program)] = _program_name(program, names)
    taken: set[str] = set()
    for program in members:
        names.prefixes[key(program)] = prefix = _prefix(program, names, taken)
        taken |= {prefix + process.name for process in program.processes}
    return names


def key(program: Program) -> Key:
    """What tells a program from all others, its copies in other groups included."""
    return program.section, program.group


def possible(name: str) -> str:
    """``name`` with what Kahi does not allow in names replaced."""
    clean = "".join(
        "-" if char in _FORBIDDEN or char.isspace() or not char.isprintable() else char
        for char in name.strip()[:_LONGEST]
    )
    return {"": "unnamed", "all": "all_"}.get(clean, clean)


def is_possible(name: str) -> bool:
    """Whether Kahi takes a name as it is."""
    try:
        check_name(name)
    except ValueError:
        return False
    return True


def _program_name(program: Program, names: Names) -> str:
    own_group = names.groups.get(program.group)
    taken = {*names.programs.values(), *(name for name in names.groups.values() if name != own_group)}
    name = possible(program.name)
    return name if name not in taken else _free(possible(f"{program.group}-{program.name}"), taken)


def _prefix(program: Program, names: Names, taken: set[str]) -> str:
    found = {process.name for process in program.processes}
    if not found & taken:
        return ""
    prefix = f"{names.programs[key(program)]}-"
    while {prefix + name for name in found} & taken:
        prefix = f"{prefix}-"
    return prefix


def _free(name: str, taken: Iterable[str]) -> str:
    taken = set(taken)
    number = 2
    free = name
    while free in taken:
        free = f"{name}-{number}"
        number += 1
    return free
