"""Finding plugins, importing those that are wanted, and bringing them in order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kahi.boundary import PLUGIN_ERRORS
from kahi.entrypoints import EntryPoint
from kahi.errors import KahiError

GROUP: Final = "kahi.plugins"
DISABLE_VARIABLE: Final = "KAHI_DISABLE_PLUGINS"
ALL: Final = "all"
REQUIRES: Final = "kahi_requires"
"""The attribute of a plugin that names the plugins it can not do without."""


@dataclass(slots=True)
class Found:
    """One plugin after the attempt to import it: the object, or the error."""

    entry: EntryPoint
    plugin: Any = None
    error: BaseException | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Which plugins are not imported, and who says so.

    Args:
        names: by the configuration; ``all`` stands for every one.
    """

    names: frozenset[str]
    from_environment: frozenset[str]

    @classmethod
    def find(cls, configured: Iterable[str], environ: Mapping[str, str] = os.environ) -> Unwanted:
        """What the configuration and ``$KAHI_DISABLE_PLUGINS`` say."""
        words = environ.get(DISABLE_VARIABLE, "").split(",")
        return cls(frozenset(configured), frozenset(filter(None, map(str.strip, words))))

    def reason(self, name: str) -> str:
        """Why a plugin is not wanted, "" when it is."""
        if name in self.names or ALL in self.names:
            return "by disabled_plugins"
        if name in self.from_environment or ALL in self.from_environment:
            return f"by ${DISABLE_VARIABLE}"
        return ""


def load(entry: EntryPoint) -> Found:
    """Import one plugin; whatever that raises is kept."""
    found = Found(entry)
    begin = time.perf_counter()
    try:
        found.plugin = entry.load()
    except PLUGIN_ERRORS as error:
        found.error = error
    found.seconds = time.perf_counter() - begin
    return found


class RequirementError(KahiError):
    """A plugin that can not be used because of others."""


def requirements(plugin: Any) -> tuple[str, ...]:
    """The plugins that ``plugin`` names in ``kahi_requires``.

    Raises:
        RequirementError: it is no list of names.
    """
    names: object = getattr(plugin, REQUIRES, ())
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise RequirementError(f"{REQUIRES} is no list of names")
    found: list[str] = []
    for name in names:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(name, str):
            raise RequirementError(f"{REQUIRES} is no list of names")
        found.append(name)
    return tuple(found)


def in_order(
    requires: Mapping[str, Sequence[str]], absent: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Order plugins by name, each after those that it requires.

    Args:
        requires: what each usable plugin requires.
        absent: what is the matter with plugins that can not be used.

    Returns:
        The usable plugins in order, and for the others why not.
    """
    ordered: list[str] = []
    refused: dict[str, str] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = path[path.index(name) :]
            text = " -> ".join((*circle, name))
            refused.update(dict.fromkeys(circle, f"plugins require each other: {text}"))
        if name in ordered or name in refused:
            return
        for other in sorted(requires[name]):
            if other in requires:
                visit(other, (*path, name))
            if other not in ordered:
                what = absent.get(other, "can not be used" if other in refused else "is not installed")
                refused.setdefault(name, f"requires plugin {other!r}, which {what}")
                return
        ordered.append(name)

    for name in sorted(requires):
        visit(name, ())
    return ordered, refused
