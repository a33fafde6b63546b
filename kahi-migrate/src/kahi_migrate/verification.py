"""Making sure that a draft loads: it is read with the real models, and what they refuse is left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from kahi.config.config import Config
from kahi.config.files import Source, Sources, parse
from kahi.config.loading import load
from kahi.errors import ConfigError, KahiError, Problem
from kahi.plugins import PluginManager
from kahi_migrate.draft import Draft, Entry, Remark, Table
from kahi_migrate.models import Models
from kahi_migrate.writing import render, write_value

UNSET: Final = "1"
"""Stands for a variable that is not set here; it is a text, a number and a path at once."""


class Verifier:
    """Reads drafts as a daemon with these plugins would.

    Args:
        path: where the result will be: ``%(here)s`` is its directory.
    """

    def __init__(self, plugins: PluginManager, path: str, environ: Mapping[str, str]) -> None:
        self._plugins = plugins
        self._models = Models(plugins.declare_sections())
        self._path = os.path.abspath(path)
        self._environ = environ

    def finish(self, draft: Draft) -> tuple[str, Config]:
        """The text of the draft and what it loads as.

        Keys that say nothing are dropped first. What a daemon would refuse is commented out, with
        a warning, until nothing is left to refuse.
        """
        self._models.drop_defaults(draft)
        for _ in range(_size(draft) + 1):
            draft.prune_groups()
            text = render(draft)
            source = parse(self._path, text)
            try:
                config = self._load(draft, source)
                refused = list(config.warnings)
            except ConfigError as error:
                config, refused = None, list(error.problems)
            changed = [self._leave_out(draft, source, problem) for problem in refused]
            if config is not None and not any(changed):
                return text, config
            if config is None and not any(changed):
                raise KahiError(f"the result does not load, which is a mistake of Kahi: {refused[0]}")
        raise KahiError("the result does not load, which is a mistake of Kahi")

    def _load(self, draft: Draft, source: Source) -> Config:
        environ = {**dict.fromkeys(draft.variables, UNSET), **self._environ}
        config = load(self._path, sections=self._plugins.sections, environ=environ, sources=Sources([source]))
        problems = self._plugins.validate_config(config)
        if problems:
            raise ConfigError(problems)
        return config

    def _leave_out(self, draft: Draft, source: Source, problem: Problem) -> bool:
        """Comment out what a problem is about; False when that is nothing in the draft."""
        there = {path for path, line in source.lines.items() if _is_about(problem, source, path, line)}
        for table, entry in _entries(draft):
            if (*table.path, entry.key) in there and not self._models.is_missing(table.path):
                where = table.items.index(entry)
                text = " ".join(f"{entry.key} = {write_value(entry.value)}".split())
                table.items[where] = Remark(f"unsupported: {text} ({problem.message})")
                draft.warn(entry.place, f"left out: {problem.message}")
                return True
        for table in draft.tables():
            if table.path in there and not table.disabled and not self._models.is_missing(table.path):
                key = problem.where.rpartition("] ")[2] if "] " in problem.where else ""
                draft.disable(table, f"{key} {problem.message}".lstrip())
                return True
        return False


def _is_about(problem: Problem, source: Source, path: tuple[str, ...], line: int) -> bool:
    """Whether a problem is one of the key at ``path``; plugins may name the key without its line."""
    return line == problem.line if problem.line else source.problem(path, "").where == problem.where


def _entries(draft: Draft) -> Iterator[tuple[Table, Entry]]:
    for table in draft.tables():
        if not table.disabled:
            yield from table.all_entries()


def _size(draft: Draft) -> int:
    return sum(1 + len(list(table.all_entries())) for table in draft.tables())
