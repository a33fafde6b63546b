"""The shapes of TOML values, for type checkers and for people."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a TOML value is a table; their keys are always strings."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a TOML value is an array."""
    return isinstance(value, list)
