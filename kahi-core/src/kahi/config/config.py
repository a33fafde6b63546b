"""A whole configuration, valid and resolved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kahi.config.models import SupervisorSettings
from kahi.definition import GroupDefinition, ProcessDefinition
from kahi.errors import Problem


@dataclass(frozen=True, slots=True)
class Config:
    """What the files say, after everything was checked and expanded.

    Args:
        path: the main file; ``files`` all of them.
        groups: by name, in name order.
        sections: what plugins declared, by table name: a model, or a dict of them by name.
        warnings: what is odd, but no reason to refuse.
    """

    path: str
    supervisor: SupervisorSettings
    groups: Mapping[str, GroupDefinition]
    files: tuple[str, ...] = ()
    sections: Mapping[str, Any] = field(default_factory=dict[str, Any])
    warnings: tuple[Problem, ...] = ()

    def process(self, name: str) -> ProcessDefinition | None:
        """The definition of one process, None when there is no such process."""
        return next((p for group in self.groups.values() for p in group.processes if p.name == name), None)

    def with_groups(self, groups: Mapping[str, GroupDefinition]) -> Config:
        """The same configuration with other groups."""
        return dataclasses.replace(self, groups=groups)
