"""What was found wrong or odd with a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pydantic import BaseModel

from kahi.config.files import Source
from kahi.config.positions import Path
from kahi.errors import Problem, nearest

MAX_PROBLEMS: Final = 100
"""Errors, or warnings, that one person is told at once."""

MAX_HINTS: Final = 25
"""Names for which a nearest known one is looked for: that takes time for each known name."""

OnFailure = Callable[[type[BaseModel], Exception], None]
"""Told of a model that could not judge a table, and why."""


class TooManyProblems(Exception):
    """It is no use to look for more."""


class Report:
    """Collects problems, each once, however many processes have it.

    Args:
        errors, warnings: what the files themselves brought.
        may_belong: to which plugins an unknown table in a program may belong; it is then accepted.
        on_failure: told of models that fail themselves.
    """

    def __init__(
        self,
        errors: Iterable[Problem] = (),
        warnings: Iterable[Problem] = (),
        may_belong: str = "",
        on_failure: OnFailure | None = None,
    ) -> None:
        self._errors = dict.fromkeys(errors)
        self._warnings = dict.fromkeys(warnings)
        self.may_belong = may_belong
        self.on_failure = on_failure
        self._unknown: dict[Problem, None] = {}
        self._hints: dict[str, str] = {}

    @property
    def errors(self) -> list[Problem]:
        """Why the configuration can not be used."""
        return list(self._errors)

    @property
    def warnings(self) -> list[Problem]:
        """What is odd, up to `MAX_PROBLEMS`, and how much more there is."""
        found = list(self._warnings)
        more = len(found) - MAX_PROBLEMS
        if more > 0:
            found[MAX_PROBLEMS:] = [Problem("", 0, "", f"there are {more} more warnings")]
        return found

    def error(self, source: Source, path: Path, message: str) -> None:
        """Something because of which the configuration can not be used.

        Raises:
            TooManyProblems: there are enough of them.
        """
        if len(self._errors) >= MAX_PROBLEMS:
            raise TooManyProblems
        self._errors[source.problem(path, message)] = None

    def warning(self, source: Source, path: Path, message: str) -> None:
        """Something odd."""
        self._warnings[source.problem(path, message)] = None

    def unknown(
        self, source: Source, path: Path, message: str, known: Iterable[str] = (), *, is_table: bool = False
    ) -> None:
        """A key or table that nobody knows; ``known`` are those that it may have been meant to be."""
        message += self.nearest(path[-1], known)
        if is_table and self.may_belong:
            self.warning(source, path, f"{message}, it {self.may_belong}")
        else:
            self._unknown[source.problem(path, message)] = None

    def failed(self, source: Source, path: Path, model: type[BaseModel], error: Exception) -> None:
        """A model failed itself, by an error in its code."""
        if self.on_failure is None:
            self.error(source, path, f"can not be checked: {error!r}")
        else:
            self.on_failure(model, error)
            self.warning(source, path, "can not be checked, its plugin failed")

    def nearest(self, name: str, known: Iterable[str]) -> str:
        """A remark with the known name that ``name`` may have meant, "" when none is near."""
        if name not in self._hints:
            if len(self._hints) >= MAX_HINTS:
                return ""
            self._hints[name] = nearest(name, known)
        return self._hints[name]

    def refuse_unknown_keys(self, *, strict: bool) -> None:
        """Make unknown keys errors when ``strict``, else warnings."""
        (self._errors if strict else self._warnings).update(self._unknown)
        self._unknown.clear()
