"""Holding tables against models, and saying what is wrong in words of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kahi.config.expansion import ExpansionError, expand
from kahi.config.files import Source
from kahi.config.positions import Path
from kahi.config.toml import is_list, is_table
from kahi.errors import Problem, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)

_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "float_type": "is no number",
    "float_parsing": "is no number",
    "finite_number": "is no finite number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": "is no text",
    "string_too_short": "is empty",
    "list_type": "is no list",
    "tuple_type": "is no list",
    "frozen_set_type": "is no list",
    "dict_type": "is no table",
    "model_type": "is no table",
    "literal_error": "is not allowed (allowed: {expected})",
    "greater_than_equal": "is too small (at least {ge})",
    "less_than_equal": "is too large (at most {le})",
    "value_error": "{error}",
}


OnFailure = Callable[[type[BaseModel], Exception], None]
"""Told of a model that could not judge a table, and why."""


@dataclass(slots=True)
class Report:
    """What was found wrong or odd so far.

    Args:
        may_belong: to which plugins an unknown table in a program may belong; it is then accepted.
        on_failure: told of models that fail themselves.
    """

    errors: list[Problem]
    warnings: list[Problem]
    may_belong: str = ""
    on_failure: OnFailure | None = None
    _unknown: list[Problem] = field(default_factory=list[Problem])

    def error(self, source: Source, path: Path, message: str) -> None:
        """Something because of which the configuration can not be used."""
        self.errors.append(source.problem(path, message))

    def warning(self, source: Source, path: Path, message: str) -> None:
        """Something odd."""
        self.warnings.append(source.problem(path, message))

    def unknown(self, source: Source, path: Path, message: str, *, is_table: bool = False) -> None:
        """A key or table that nobody knows."""
        if is_table and self.may_belong:
            self.warning(source, path, f"{message}, it {self.may_belong}")
        else:
            self._unknown.append(source.problem(path, message))

    def failed(self, source: Source, path: Path, model: type[BaseModel], error: Exception) -> None:
        """A model failed itself, by an error in its code."""
        if self.on_failure is None:
            self.error(source, path, f"can not be checked: {error!r}")
        else:
            self.on_failure(model, error)
            self.warning(source, path, "can not be checked, its plugin failed")

    def refuse_unknown_keys(self, *, strict: bool) -> None:
        """Make unknown keys errors when ``strict``, else warnings."""
        (self.errors if strict else self.warnings).extend(self._unknown)
        self._unknown = []


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
            report.error(source, (*path, *key), " and ".join(dict.fromkeys(alternatives)))
    except Exception as error:  # noqa: BLE001 - boundary: models of plugins
        report.failed(source, path, model, error)
    return None


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
            hint = nearest(key, [*model.model_fields, *also_known])
            report.unknown(source, (*path, key), f"is no known key{hint}", is_table=is_table(value))
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
