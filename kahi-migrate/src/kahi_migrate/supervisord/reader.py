"""Reading the values of one section as supervisord does: expanded, converted, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from kahi.errors import Problem
from kahi_migrate.supervisord import template
from kahi_migrate.supervisord.configuration import Configuration, Value
from kahi_migrate.supervisord.resolved import Resolved, Unset

T = TypeVar("T")
Names = Mapping[str, str | int]


class SectionReader:
    """The values of one section. What is wrong goes to ``resolved``, and the default is used.

    Args:
        names: what ``%(name)s`` may refer to, environment variables apart.
        environment: environment variables that may be referred to.
    """

    def __init__(
        self,
        configuration: Configuration,
        resolved: Resolved,
        section: str,
        names: Names,
        environment: Mapping[str, str],
    ) -> None:
        self.section = section
        self._configuration = configuration
        self._resolved = resolved
        self._names = names
        self._environment = environment

    @property
    def problems(self) -> list[Problem]:
        """Everything that was refused so far."""
        return self._resolved.problems

    def raw(self, key: str) -> Value | None:
        """The value before expansion."""
        return self._configuration.get(self.section, key)

    def text(self, key: str, names: Names | None = None) -> str | None:
        """The value after expansion; None when there is none. Unset variables stay as ``${NAME}``."""
        value = self.raw(key)
        return None if value is None else self.expand(value, value.text, names)

    def convert(self, key: str, convert: Callable[[str], T], default: T, names: Names | None = None) -> T:
        """The value as ``convert`` reads it, ``default`` when there is none."""
        value = self.raw(key)
        if value is None:
            return default
        problems_before = len(self._resolved.problems)
        unset_before = len(self._resolved.unset)
        text = self.expand(value, value.text, names)
        if len(self._resolved.problems) > problems_before:
            return default
        try:
            return convert(text)
        except ValueError as error:
            if len(self._resolved.unset) == unset_before:
                self.refuse(value, str(error))
            return default

    def expand(self, value: Value, text: str, names: Names | None = None) -> str:
        """Expand ``text``, which is or comes from ``value``; "" when that is impossible."""
        known = dict(names if names is not None else self.names())
        for variable in sorted(template.variables(text)):
            if f"ENV_{variable}" not in known:
                self._note_unset(value, variable)
                known[f"ENV_{variable}"] = f"${{{variable}}}"
        try:
            return template.expand(self._configuration.plain(text), known)
        except template.UnknownName as error:
            allowed = ", ".join(sorted(name for name in known if not name.startswith("ENV_")))
            self.refuse(value, f"{error} (allowed: {allowed or 'none'} and ENV_ with a variable's name)")
        except template.TemplateError as error:
            self.refuse(value, str(error))
        return ""

    def names(self, *more: Names) -> dict[str, str | int]:
        """All names with their values, later ones winning."""
        found: dict[str, str | int] = {f"ENV_{key}": text for key, text in self._environment.items()}
        for names in (self._names, *more):
            found |= names
        return found

    def refuse(self, value: Value, message: str) -> None:
        """Report why supervisord refuses a value, the first reason only."""
        problem = value.problem(message)
        if not any(
            (other.file, other.line, other.where) == (problem.file, problem.line, problem.where)
            for other in self._resolved.problems
        ):
            self._resolved.problems.append(problem)

    def refuse_section(self, message: str) -> None:
        """Report why supervisord refuses the section."""
        problem = self._configuration.place(self.section, message)
        if problem not in self._resolved.problems:
            self._resolved.problems.append(problem)

    def _note_unset(self, value: Value, variable: str) -> None:
        unset = Unset(value, variable)
        if unset not in self._resolved.unset:
            self._resolved.unset.append(unset)


def not_empty(text: str) -> str | None:
    """The text; raises ValueError when there is none."""
    if not text:
        raise ValueError("is empty")
    return text


def maybe(convert: Callable[[str], int]) -> Callable[[str], int | None]:
    """``convert``, for a value that has no default."""
    return convert
