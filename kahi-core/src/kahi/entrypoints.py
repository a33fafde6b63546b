"""Finding the entry points of installed distributions, quickly.

``importlib.metadata`` costs more to import than `kahi ctl` may take altogether. This reads the
``entry_points.txt`` of every distribution on ``sys.path`` and nothing else, and does without
``dataclasses`` and ``typing`` as well.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class EntryPoint:
    """A name that a distribution gives to an object: ``module`` or ``module:attribute``."""

    __slots__ = ("distribution", "name", "value", "version")

    def __init__(self, name: str, value: str, distribution: str, version: str) -> None:
        self.name = name
        self.value = value
        self.distribution = distribution
        self.version = version

    def load(self) -> Any:
        """Import what it names; raises whatever the import raises."""
        module_name, _, attributes = self.value.partition(":")
        found: Any = importlib.import_module(module_name)
        for attribute in filter(None, attributes.split(".")):
            found = getattr(found, attribute)
        return found


def entry_points(group: str, path: Sequence[str] | None = None) -> list[EntryPoint]:
    """The entry points of one group, by name; the first on the path wins as it does for imports."""
    found: dict[str, EntryPoint] = {}
    for directory in sys.path if path is None else path:
        for name, version, text in _distributions(directory or "."):
            for key, value in _section(text, group):
                found.setdefault(key, EntryPoint(key, value, name, version))
    return [found[key] for key in sorted(found)]


def _distributions(directory: str) -> Iterator[tuple[str, str, str]]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        if not name.endswith((".dist-info", ".egg-info")):
            continue
        try:
            with open(
                os.path.join(directory, name, "entry_points.txt"), encoding="utf-8", errors="replace"
            ) as file:
                text = file.read()
        except OSError:
            continue
        distribution, _, version = name.rpartition(".")[0].partition("-")
        yield distribution.replace("_", "-"), version, text


def _section(text: str, group: str) -> Iterator[tuple[str, str]]:
    inside = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            yield key.strip(), value.strip().partition(" ")[0]
