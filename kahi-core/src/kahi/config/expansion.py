"""Expansion of ``%(name)s``, ``${NAME}`` and ``${NAME:-default}`` in configuration strings.

One pass: what was expanded is not expanded again. ``%%`` and ``$$`` are a percent and a dollar sign,
any other lone one is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from kahi.config.bounds import MAX_TEXT

_PLACE: Final = re.compile(
    r"%%|\$\$"
    r"|%\((?P<name>[^()]*)\)(?P<format>[-+ #0]{0,5}\d{0,3}(?:\.\d{1,3})?[a-zA-Z])?"
    r"|\$\{(?P<variable>[^{}:]*)(?P<default>:-[^{}]*)?\}"
)


class ExpansionError(ValueError):
    """A name that is not defined, or a format that does not fit."""


def expand(text: str, names: Mapping[str, str | int], environment: Mapping[str, str]) -> str:
    """Expand ``text`` once.

    Args:
        names: what ``%(name)s`` may refer to.
        environment: what ``${NAME}`` may refer to.

    Raises:
        ExpansionError: an undefined name or variable, or a bad format. Values are not in it.
    """
    if "%" not in text and "$" not in text:
        return text

    length = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal length
        replaced = replacement(found)
        length += len(replaced)
        if length > MAX_TEXT:
            raise ExpansionError(f"becomes longer than {MAX_TEXT} characters")
        return replaced

    def replacement(found: re.Match[str]) -> str:
        whole = found[0]
        if whole in ("%%", "$$"):
            return whole[0]
        if found["name"] is not None:
            return _formatted(found["name"], found["format"], names)
        return _variable(found["variable"], found["default"], environment)

    expanded = _PLACE.sub(replace, text)
    if len(expanded) > MAX_TEXT:
        raise ExpansionError(f"becomes longer than {MAX_TEXT} characters")
    return expanded


def _formatted(name: str, conversion: str | None, names: Mapping[str, str | int]) -> str:
    if name not in names:
        raise ExpansionError(f"%({name})s is not defined here (defined: {', '.join(sorted(names))})")
    if conversion is None:
        raise ExpansionError(f'%({name}) lacks its format (write "%({name})s")')
    try:
        return ("%" + conversion) % names[name]
    except (TypeError, ValueError):
        raise ExpansionError(f"%({name}){conversion}: the format does not fit the value") from None


def _variable(name: str, default: str | None, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "")
    if default is not None:
        return value or default[2:]
    if name not in environment:
        raise ExpansionError(f"${{{name}}} is not set (write ${{{name}:-default}} to give a default)")
    return value
