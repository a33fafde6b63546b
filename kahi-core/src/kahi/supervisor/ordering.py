"""Who starts and stops before whom: pure functions over definitions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from kahi.definition import Condition, ProcessDefinition

Rank = tuple[int, int]
"""Priority of the group, then of the process; a lower rank starts earlier and stops later."""


def start_order(
    definitions: Iterable[ProcessDefinition], group_priority: Mapping[str, int]
) -> list[ProcessDefinition]:
    """``definitions`` in rising priority of group and process, names in order within one priority."""
    return sorted(definitions, key=lambda d: (*rank(d, group_priority), d.group, d.program, d.number))


def rank(definition: ProcessDefinition, group_priority: Mapping[str, int]) -> Rank:
    """What decides between two processes that do not depend on each other."""
    return group_priority.get(definition.group, definition.priority), definition.priority


def stop_waves(
    definitions: Collection[ProcessDefinition], group_priority: Mapping[str, int]
) -> list[list[ProcessDefinition]]:
    """Cut ``definitions`` into waves: each is stopped in parallel once the one before is gone.

    Falling priority; and nothing is stopped before what depends on it, whatever the priorities.
    """
    remaining = start_order(definitions, group_priority)
    remaining.reverse()
    waves: list[list[ProcessDefinition]] = []
    while remaining:
        needed = {name for definition in remaining for name, _ in definition.depends_on}
        free = [d for d in remaining if d.name not in needed and d.program not in needed]
        # Nothing free would be a cycle, which the configuration refuses; going on is all the same.
        candidates = free or remaining
        highest = max(rank(d, group_priority) for d in candidates)
        wave = [d for d in candidates if rank(d, group_priority) == highest]
        waves.append(wave)
        stopped = {d.name for d in wave}
        remaining = [d for d in remaining if d.name not in stopped]
    return waves


def with_dependencies(
    definitions: Sequence[ProcessDefinition],
    unmet: Callable[[str, Condition], Sequence[ProcessDefinition]],
) -> list[ProcessDefinition]:
    """``definitions`` and, before them, all they still need, directly or not; each once.

    Args:
        unmet: the processes that a name in ``depends_on`` stands for and that are not in the
            condition it asks for.
    """
    found: dict[str, ProcessDefinition] = {}
    visiting: set[str] = set()

    def visit(definition: ProcessDefinition) -> None:
        if definition.name in found or definition.name in visiting:
            return
        visiting.add(definition.name)
        for name, condition in definition.depends_on:
            for needed in unmet(name, condition):
                visit(needed)
        found[definition.name] = definition

    for definition in definitions:
        visit(definition)
    return list(found.values())
