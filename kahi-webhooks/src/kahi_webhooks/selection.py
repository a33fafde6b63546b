"""Which processes a webhook is told of."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def concerns(patterns: Sequence[str], name: str, group: str) -> bool:
    """Whether a process is one of those that ``patterns`` name.

    A pattern is the name of a process, ``group:*``, ``group:process`` or a glob of these. Events that
    are about no process concern everybody.
    """
    if not patterns or not name:
        return True
    return any(_matches(pattern, name, group) for pattern in patterns)


def _matches(pattern: str, name: str, group: str) -> bool:
    first, colon, second = pattern.partition(":")
    if not colon:
        return pattern == "all" or fnmatchcase(name, first)
    return fnmatchcase(group, first) and fnmatchcase(name, second)
