"""Holding tables against models, and saying what is wrong in words of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kahi.config.expansion import ExpansionError, expand
from kahi.config.files import Source
from kahi.config.positions import Path
from kahi.config.report import Report
from kahi.config.toml import is_list, is_table

ModelT = TypeVar("ModelT", bound=BaseModel)

_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "int_type": "is no whole number (allowed: digits without quotes, such as 3)",
    "int_parsing": "is no whole number (allowed: digits without quotes, such as 3)",
    "int_from_float": "is no whole number (allowed: digits without quotes, such as 3)",
    "float_type": "is no number (allowed: digits without quotes, such as 3 or 0.5)",
    "float_parsing": "is no number (allowed: digits without quotes, such as 3 or 0.5)",
    "finite_number": "is no finite number",
    "bool_type": "is neither true nor false (allowed: one of these, without quotes)",
    "bool_parsing": "is neither true nor false (allowed: one of these, without quotes)",
    "string_type": 'is no text (allowed: "text" in quotes)',
    "string_too_short": "is empty",
    "list_type": "is no list (allowed: [one, two, ...])",
    "tuple_type": "is no list (allowed: [one, two, ...])",
    "frozen_set_type": "is no list (allowed: [one, two, ...])",
    "dict_type": "is no table (allowed: {key = value, ...})",
    "model_type": "is no table (allowed: {key = value, ...})",
    "literal_error": "is not allowed (allowed: {expected})",
    "greater_than_equal": "is too small (at least {ge})",
    "less_than_equal": "is too large (at most {le})",
    "value_error": "{error}",
}


_THINGS: Final[Mapping[str, str]] = {
    _MESSAGES["string_type"]: "text",
    _MESSAGES["list_type"]: "a list",
    _MESSAGES["int_type"]: "a whole number",
    _MESSAGES["bool_type"]: "true or false",
    _MESSAGES["dict_type"]: "a table",
}
"""What a value may have been instead."""


def expand_table(
    value: Any,
    path: Path,
    names: Mapping[str, str | int],
    environ: Mapping[str, str],
    source: Source,
    report: Report,
) -> Any:
    """Expand every string in a table; keys stay as they are, problems go to ``report``."""
    if isinstance(value, str):
        if "%" not in value and "$" not in value:
            return value
        try:
            return expand(value, names, environ)
        except ExpansionError as error:
            report.error(source, path, str(error))
            return ""
    if is_list(value):
        return [expand_table(item, path, names, environ, source, report) for item in value]
    if is_table(value):
        return {
            key: expand_table(item, (*path, key), names, environ, source, report)
            for key, item in value.items()
        }
    return value


def validate(
    model: type[ModelT],
    raw: dict[str, Any],
    path: Path,
    source: Source,
    report: Report,
    also_known: Iterable[str] = (),
) -> ModelT | None:
    """Make a model of a table; None when that is impossible, with the reasons in ``report``.

    Args:
        also_known: keys besides those of the model; ``table.key`` for one in an inner table.
    """
    _report_unknown_keys(model, raw, path, source, report, frozenset(also_known))
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        messages: dict[Path, list[str]] = {}
        for detail in error.errors(include_url=False, include_input=False):
            messages.setdefault(_key_path(detail, raw), []).append(_message(detail))
        for key, alternatives in messages.items():
            # Several for one key: none of the forms that it may have fits.
            report.error(source, (*path, *key), _together(list(dict.fromkeys(alternatives))))
    except Exception as error:  # noqa: BLE001 - boundary: models of plugins
        report.failed(source, path, model, error)
    return None


def _together(messages: list[str]) -> str:
    """One sentence of several about the same value: "is neither text nor a list"."""
    if len(messages) == 1:
        return messages[0]
    things = [_THINGS.get(message, "") for message in messages]
    if len(things) == 2 and all(things):
        return f"is neither {things[0]} nor {things[1]}"
    return " and ".join(messages)


def _report_unknown_keys(
    model: type[BaseModel],
    raw: dict[str, Any],
    path: Path,
    source: Source,
    report: Report,
    also_known: frozenset[str],
) -> None:
    for key, value in raw.items():
        field = model.model_fields.get(key)
        if field is None and key not in also_known:
            known = [*model.model_fields, *also_known]
            report.unknown(source, (*path, key), "is no known key", known, is_table=is_table(value))
        elif (
            field is not None
            and is_table(value)
            and isinstance(field.annotation, type)
            and issubclass(field.annotation, BaseModel)
        ):
            inner = {name.removeprefix(f"{key}.") for name in also_known if name.startswith(f"{key}.")}
            _report_unknown_keys(field.annotation, value, (*path, key), source, report, frozenset(inner))


def _key_path(detail: ErrorDetails, raw: dict[str, Any]) -> Path:
    """The keys that lead to a problem, without the names pydantic gives to alternatives."""
    path: list[str] = []
    value: object = raw
    for part in detail["loc"]:
        if isinstance(part, str) and (not path or isinstance(value, dict)):
            path.append(part)
            value = value.get(part) if is_table(value) else None
        else:
            break
    return tuple(path)


def _message(detail: ErrorDetails) -> str:
    template = _MESSAGES.get(detail["type"])
    if template is None:
        return detail["msg"]
    return template.format(**{key: _plain(value) for key, value in detail.get("ctx", {}).items()})


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
