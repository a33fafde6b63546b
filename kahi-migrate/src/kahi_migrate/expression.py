"""Text for a Kahi configuration: literal parts and references, escaped where it must be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_VARIABLE: Final = re.compile(r"[^{}:]+")
_FORMAT: Final = re.compile(r"[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_AMBIGUOUS: Final = {"%": "%(", "$": "${"}
"""Characters that have to be doubled before those."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What Kahi puts in when it loads: ``%(here)s``, ``${HOME}``."""

    text: str


Part = str | Reference
"""A literal part, or a reference."""


def variable(name: str) -> Reference:
    """An environment variable.

    Raises:
        ValueError: Kahi can not refer to a variable of that name.
    """
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"a variable called {name!r} cannot be referred to")
    return Reference(f"${{{name}}}")


def placeholder(name: str, format: str = "s") -> Reference:  # noqa: A002 - it is one
    """One of Kahi's names, such as ``process_num``, in a printf format.

    Raises:
        ValueError: Kahi does not know the format.
    """
    if not _FORMAT.fullmatch(format):
        raise ValueError(f"the format {format!r} cannot be expressed")
    return Reference(f"%({name}){format}")


def seen_from(directory: str, other: str) -> list[Part]:
    """The directory ``other`` in a configuration that will be in ``directory``."""
    inside = os.path.relpath(other, directory)
    if inside == os.curdir:
        return [placeholder("here")]
    return [other] if inside.startswith(os.pardir) else [placeholder("here"), f"/{inside}"]


def render(parts: Iterable[Part]) -> str:
    """The text that Kahi expands to ``parts``.

    Only what would be taken for something else is doubled: ``date +%s`` stays as it is.
    """
    text: list[str] = []
    merged = _merged(parts)
    for index, part in enumerate(merged):
        if isinstance(part, Reference):
            text.append(part.text)
            continue
        # What follows a literal part is a reference, or nothing.
        following = merged[index + 1 : index + 2]
        beyond = following[0].text[0] if following and isinstance(following[0], Reference) else " "
        for char, after in zip(part, part[1:] + beyond, strict=True):
            text.append(char * 2 if after in _AMBIGUOUS.get(char, "") else char)
    return "".join(text)


def _merged(parts: Iterable[Part]) -> Sequence[Part]:
    """Without empty parts, and with no two literal parts side by side."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part:
            merged.append(part)
    return merged
