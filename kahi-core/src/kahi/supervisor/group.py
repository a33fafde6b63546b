"""A group of processes, as it runs."""

from __future__ import annotations

from dataclasses import dataclass

from kahi.definition import GroupDefinition
from kahi.process import Process


@dataclass(slots=True)
class Group:
    """A group that is active, with its processes in the order of its definition."""

    definition: GroupDefinition
    processes: list[Process]

    @property
    def name(self) -> str:
        """The group's name."""
        return self.definition.name

    @property
    def priority(self) -> int:
        """Lower starts earlier and stops later."""
        return self.definition.priority
