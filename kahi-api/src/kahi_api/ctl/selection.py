"""Which processes a person means, among those that the daemon told."""

from __future__ import annotations

from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def choose(
    processes: Sequence[dict[str, Any]], names: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Those of ``processes`` that ``names`` stand for, and the names that stand for none."""
    if not names:
        return list(processes), []
    wanted: set[str] = set()
    unknown: list[str] = []
    for name in names:
        found = {p["name"] for p in processes if name == "all" or _is_meant(p, name)}
        wanted |= found
        if not found and name != "all":
            unknown.append(name)
    return [process for process in processes if process["name"] in wanted], unknown


def _is_meant(process: dict[str, Any], name: str) -> bool:
    group, colon, pattern = name.rpartition(":")
    return _fits(process["name"], pattern) and (not colon or _fits(process["group"], group))


def _fits(name: str, pattern: str) -> bool:
    if name == pattern:
        return True
    if "*" not in pattern and "?" not in pattern and "[" not in pattern:
        return False
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def is_fine(process: dict[str, Any]) -> bool:
    """Whether a process is as it should be: running, or a one-shot that ended well."""
    if process["state"] == "RUNNING":
        return True
    return bool(process["state"] == "EXITED" and process.get("oneshot") and process.get("expected_exit"))
