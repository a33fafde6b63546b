"""The files of a supervisord configuration, put together as supervisord does it."""

from __future__ import annotations

import glob
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from kahi.config.files import read_text
from kahi.errors import ConfigError, Problem
from kahi_migrate.supervisord import ini, template
from kahi_migrate.supervisord.ini import DEFAULT, Block, IniFile, Setting

AMBIGUOUS: Final = (
    "where the value ends depends on the Python that supervisord runs on: from 3.13 on at the first "
    "comment sign, before that at a later one, as here"
)
HERE: Final = "%(here)s"
HERE_MARK: Final = "\ufdd0"
"""Stands for a directory that supervisord writes into a value before it expands it: in the presence
of an ``[include]``, ``%(here)s`` is replaced as plain text. Followed by a letter for which directory."""


@dataclass(frozen=True, slots=True)
class Value:
    """The setting that counts, and where it stands.

    Args:
        text: before expansion; may hold marks for directories (see ``Configuration.plain``).
        section: the header it stands under, which is ``DEFAULT`` for what every section inherits.
    """

    text: str
    setting: Setting
    file: str
    section: str

    def problem(self, message: str) -> Problem:
        """Something to be said about it."""
        return Problem(self.file, self.setting.line, f"[{self.section}] {self.setting.key}", message)


@dataclass(slots=True)
class Configuration:
    """Everything that the files say, before expansion.

    Args:
        path: the main file, absolute.
        files: all files, in the order in which they were read.
        sections: own settings of each section, in the order in which sections were first met.
        defaults: what ``[DEFAULT]`` gives to every section.
        directories: what the marks in values stand for.
        warnings: what supervisord did not say.
    """

    path: str
    files: list[IniFile] = field(default_factory=list[IniFile])
    sections: dict[str, dict[str, Value]] = field(default_factory=dict[str, dict[str, Value]])
    defaults: dict[str, Value] = field(default_factory=dict[str, Value])
    directories: list[str] = field(default_factory=list[str])
    warnings: list[Problem] = field(default_factory=list[Problem])
    first: dict[str, Problem] = field(default_factory=dict[str, Problem])

    @property
    def here(self) -> str:
        """The directory of the main file."""
        return os.path.dirname(self.path)

    def get(self, section: str, key: str) -> Value | None:
        """The value of a key, be it inherited; None when there is none."""
        return self.sections.get(section, {}).get(key) or self.defaults.get(key)

    def keys(self, section: str) -> list[str]:
        """All keys of a section, inherited ones too."""
        return list({**self.defaults, **self.sections.get(section, {})})

    def plain(self, text: str) -> str:
        """``text`` with the marks for directories replaced."""
        for number, directory in enumerate(self.directories):
            text = text.replace(mark(number), directory)
        return text

    def place(self, section: str, message: str) -> Problem:
        """Something to be said about a section as a whole."""
        found = self.first[section]
        return Problem(found.file, found.line, f"[{section}]", message)


def mark(number: int) -> str:
    """The mark for one of a configuration's directories."""
    return f"{HERE_MARK}{chr(ord('a') + number)}" if number < 26 else f"{HERE_MARK}{chr(0x4E00 + number)}"


def read(path: str, environ: Mapping[str, str]) -> Configuration:
    """Read a configuration and what it includes.

    Raises:
        ConfigError: a file is malformed or can not be read; with every problem.
    """
    return _Reading(os.path.abspath(path), environ).result()


class _Reading:
    def __init__(self, path: str, environ: Mapping[str, str]) -> None:
        self._found = Configuration(path)
        self._environ = environ
        self._problems: list[Problem] = []

    def result(self) -> Configuration:
        found = self._found
        self._add(found.path)
        if "include" in found.sections and not self._problems:
            self._replace_here(found.here)
            for file in self._included():
                if self._add(file):
                    self._replace_here(os.path.dirname(os.path.abspath(file)))
        if self._problems:
            raise ConfigError(self._problems)
        return found

    def _add(self, path: str) -> bool:
        found = self._found
        try:
            text = _text_of(path)
        except ConfigError as error:
            problem = error.problems[0]
            if not found.files or problem.line:
                self._problems += error.problems
            else:
                self._warn(Problem(path, 0, "", f"{problem.message}; supervisord skips it without a word"))
            return False
        if _has_byte_order_mark(path):
            self._warn(Problem(path, 1, "", "begins with a byte order mark, which supervisord refuses"))
        file = ini.parse(path, text)
        is_new = all(other.path != path for other in found.files)
        if is_new:
            found.files.append(file)
            self._problems += file.problems
        for number in file.ambiguous if is_new else ():
            self._warn(Problem(path, number, "", AMBIGUOUS))
        for block in file.blocks:
            self._merge(file, block, is_new=is_new)
        return True

    def _merge(self, file: IniFile, block: Block, *, is_new: bool) -> None:
        """Add the settings of a section; a file that is included twice counts twice, as in supervisord."""
        found = self._found
        place = Problem(file.path, block.line, f"[{block.name}]", "")
        is_default = block.name == DEFAULT
        settings = found.defaults if is_default else found.sections.setdefault(block.name, {})
        if block.name in found.first and is_new:
            first = found.first[block.name]
            message = (
                f"is there already, in {first.file}:{first.line}; supervisord joins the two without a word"
            )
            self._warn(replace(place, message=message))
        found.first.setdefault(block.name, place)
        for setting in block.settings:
            value = Value(setting.value, setting, file.path, block.name)
            before = settings.get(setting.key)
            if before is not None and is_new:
                other = f"{before.file}:{before.setting.line}"
                self._warn(
                    value.problem(f"replaces the one in {other}, which supervisord ignores without a word")
                )
            settings[setting.key] = value

    def _replace_here(self, directory: str) -> None:
        """What supervisord does to every value in the presence of an ``[include]``."""
        found = self._found
        if directory not in found.directories:
            found.directories.append(directory)
        known = mark(found.directories.index(directory))
        for settings in found.sections.values():
            for key, value in {**found.defaults, **settings}.items():
                if HERE in value.text:
                    text = value.text.replace(HERE, known)
                    settings[key] = Value(text, value.setting, value.file, value.section)

    def _included(self) -> Iterator[str]:
        found = self._found
        value = found.get("include", "files")
        if value is None:
            self._problems.append(found.place("include", "has no files setting"))
            return
        names: dict[str, str | int] = {"here": found.here, "host_node_name": platform.node()}
        names |= {f"ENV_{key}": text for key, text in self._environ.items()}
        try:
            patterns = template.expand(found.plain(value.text), names).split()
        except template.TemplateError as error:
            self._problems.append(value.problem(str(error)))
            return
        for pattern in patterns:
            matching = sorted(glob.glob(os.path.join(found.here, pattern)))
            if not matching:
                self._warn(value.problem(f"{pattern!r} matches no file"))
            yield from matching

    def _warn(self, problem: Problem) -> None:
        self._found.warnings.append(problem)


def _text_of(path: str) -> str:
    text = read_text(path)
    for number, line in enumerate(text.split("\n"), 1):
        if "\0" in line or HERE_MARK in line:
            raise ConfigError([Problem(path, number, "", "holds a character that is no text")])
    return text.replace("\r", "\n")


def _has_byte_order_mark(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(3) == b"\xef\xbb\xbf"
