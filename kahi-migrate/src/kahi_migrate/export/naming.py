"""Names and figures in forms that others take."""

from __future__ import annotations

import re
from collections.abc import Iterable


def safe_names(names: Iterable[str], forbidden: str, longest: int) -> dict[str, str]:
    """For each name one that somebody else takes, all different.

    Args:
        forbidden: a pattern of what may not be in it.
    """
    found: dict[str, str] = {}
    for name in names:
        safe = re.sub(forbidden, "-", name).strip("-.")[:longest] or "program"
        number, free = 2, safe
        while free in found.values():
            free = f"{safe[: longest - 5]}-{number}"
            number += 1
        found[name] = free
    return found


def seconds(value: float) -> str:
    """A number of seconds, without a fraction where it has none."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
