"""Finding and reading configuration files, with includes, and remembering where each key stood."""

from __future__ import annotations

import errno
import glob
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kahi.config.expansion import ExpansionError, expand
from kahi.config.positions import Path, key_lines
from kahi.config.toml import is_list, is_table
from kahi.errors import ConfigError, Problem

MAX_SIZE: Final = 1024 * 1024
MAX_DEPTH: Final = 8
MAX_FILES: Final = 1000
MAX_KEY_PARTS: Final = 32

NAMED: Final = frozenset({"programs", "fcgi_programs", "eventlisteners", "groups"})
"""Core's tables of named tables."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file, parsed. ``directory`` is what ``%(here)s`` means in it."""

    path: str
    table: dict[str, Any]
    lines: Mapping[Path, int]

    @property
    def directory(self) -> str:
        """The directory that holds the file."""
        return os.path.dirname(self.path)

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with the key at ``path``, placed at the nearest line that is known."""
        place = path
        while place and place not in self.lines:
            place = place[:-1]
        return Problem(self.path, self.lines.get(place, 0), _where(path, self.table), message)


@dataclass(slots=True)
class Sources:
    """All files that make up one configuration; the first is the main file."""

    files: list[Source] = field(default_factory=list[Source])
    errors: list[Problem] = field(default_factory=list[Problem])
    warnings: list[Problem] = field(default_factory=list[Problem])


def read_all(path: str, environ: Mapping[str, str]) -> Sources:
    """Read ``path`` and everything it includes. Problems are collected, not raised."""
    sources = Sources()
    _read_into(sources, os.path.abspath(path), (), environ)
    return sources


def _read_into(sources: Sources, path: str, chain: tuple[str, ...], environ: Mapping[str, str]) -> None:
    if path in chain:
        circle = " -> ".join((*chain[chain.index(path) :], path))
        sources.errors.append(Problem(chain[-1], 0, "include", f"files include each other: {circle}"))
        return
    if len(chain) >= MAX_DEPTH:
        sources.errors.append(Problem(chain[-1], 0, "include", f"more than {MAX_DEPTH} files deep"))
        return
    if any(source.path == path for source in sources.files):
        return
    if len(sources.files) >= MAX_FILES:
        sources.errors.append(Problem(path, 0, "include", f"more than {MAX_FILES} files"))
        return
    try:
        source = parse(path, read_text(path))
    except ConfigError as error:
        sources.errors.extend(error.problems)
        return
    sources.files.append(source)
    for included in _included(source, sources, environ):
        _read_into(sources, included, (*chain, path), environ)


def parse(path: str, text: str) -> Source:
    """Parse the text of one file.

    Raises:
        ConfigError: it is not TOML.
    """
    try:
        _refuse_bombs(path, text)
        table = tomllib.loads(text)
        return Source(path, table, key_lines(text))
    except tomllib.TOMLDecodeError as error:
        message, line = _syntax_error(str(error), text)
        raise ConfigError([Problem(path, line, "", message)]) from None
    except RecursionError:
        raise ConfigError([Problem(path, 0, "", "is nested too deeply")]) from None


def _refuse_bombs(path: str, text: str) -> None:
    """tomllib takes quadratic time over a key of many parts."""
    for number, line in enumerate(text.split("\n"), 1):
        head = line.split("=", 1)[0]
        if head.count(".") > MAX_KEY_PARTS and not head.lstrip().startswith(("#", '"', "'")):
            raise ConfigError([Problem(path, number, "", f"a key of more than {MAX_KEY_PARTS} parts")])


def _syntax_error(error: str, text: str) -> tuple[str, int]:
    """Split "Expected '=' ... (at line 3, column 8)", or "(at end of document)", into message and line."""
    message, _, place = error.rpartition(" (at ")
    if not message:
        return f"is not TOML: {error}", 0
    digits = "".join(char if char.isdigit() else " " for char in place).split()
    line = int(digits[0]) if digits else max(1, len(text.splitlines()))
    return f"is not TOML: {message}", line


def read_text(path: str) -> str:
    """The text of a regular file, never waiting for a FIFO or reading a device without end."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise ConfigError([Problem(path, 0, "", f"cannot be read: {_reason(error)}")]) from None
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError([Problem(path, 0, "", "is not a regular file")])
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise ConfigError([Problem(path, 0, "", f"is larger than {MAX_SIZE} bytes")])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(path, line, "", "is not UTF-8")]) from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO)


def _included(source: Source, sources: Sources, environ: Mapping[str, str]) -> list[str]:
    patterns: object = source.table.get("include", [])
    if not is_list(patterns):
        sources.errors.append(
            source.problem(("include",), 'is no list of patterns (write ["conf.d/*.toml"])')
        )
        return []
    found: list[str] = []
    for pattern in patterns:
        if not isinstance(pattern, str):
            sources.errors.append(source.problem(("include",), "holds something that is no text"))
            continue
        try:
            expanded = expand(pattern, {"here": source.directory}, environ)
        except ExpansionError as error:
            sources.errors.append(source.problem(("include",), str(error)))
            continue
        matching = sorted(glob.glob(os.path.join(glob.escape(source.directory), expanded)))
        if not matching:
            sources.warnings.append(source.problem(("include",), f"{pattern!r} matches no file"))
        found += [os.path.normpath(name) for name in matching]
    return found


def _where(path: Path, table: dict[str, Any]) -> str:
    """``[programs.web] startsecs``, as a person would point at it."""
    if not path:
        return ""
    outer = table.get(path[0])
    inner = is_table(outer) and len(path) > 1 and is_table(outer.get(path[1]))
    depth = 2 if path[0] in NAMED or (inner and path[0] != "supervisor") else 1
    where = f"[{'.'.join(path[:depth])}] {'.'.join(path[depth:])}".rstrip()
    return "include" if where == "[include]" else where
