"""YAML for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml


def documents(values: Iterable[Any]) -> str:
    """Documents of one file, with keys in the order in which they were put in."""
    return yaml.dump_all(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def without_unset(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that say something: not None, and not empty."""
    return {key: value for key, value in values.items() if value is not None and value != {} and value != []}


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice, rather than as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
