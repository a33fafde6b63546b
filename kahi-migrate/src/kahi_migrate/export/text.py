"""Text with environment variables in it that only the place where it runs knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_OPEN: Final = "\ufdd1"
_CLOSE: Final = "\ufdd2"
"""Stand around the name of a variable in a configuration that was loaded for an export."""

_MARKED: Final = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")


@dataclass(frozen=True, slots=True)
class Variable:
    """What is to be put in when it runs."""

    name: str


Text = tuple[str | Variable, ...]


def marked(name: str) -> str:
    """What the value of a variable is taken to be while a configuration is loaded."""
    return f"{_OPEN}{name}{_CLOSE}"


def parse(text: str) -> Text:
    """Find the variables in a loaded text."""
    pieces = _MARKED.split(text)
    found = (piece if index % 2 == 0 else Variable(piece) for index, piece in enumerate(pieces))
    return tuple(piece for piece in found if piece)


def variables(texts: Iterable[Text]) -> list[str]:
    """Names of all variables in texts, each once."""
    return list(dict.fromkeys(p.name for text in texts for p in text if isinstance(p, Variable)))


def write(text: Text, literal: Callable[[str], str], variable: Callable[[str], str]) -> str:
    """The text in somebody's syntax: escaped literal parts and references to variables."""
    return "".join(variable(p.name) if isinstance(p, Variable) else literal(p) for p in text)
