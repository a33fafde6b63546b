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

from kahi.config import bounds
from kahi.config.expansion import ExpansionError, expand
from kahi.config.positions import Path, key_lines
from kahi.config.toml import is_list, is_table
from kahi.errors import ConfigError, Problem

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
    read: set[str] = field(default_factory=set[str])
    """Real paths of all files that were opened, good or bad."""
    characters: int = 0


def read_all(path: str, environ: Mapping[str, str]) -> Sources:
    """Read ``path`` and everything it includes. Problems are collected, not raised."""
    sources = Sources()
    try:
        _read_into(sources, os.path.abspath(path), (), environ)
    except _TooMuch as error:
        sources.errors.append(Problem(error.args[0], 0, "include", error.args[1]))
    return sources


def _read_into(sources: Sources, path: str, chain: tuple[str, ...], environ: Mapping[str, str]) -> None:
    real = os.path.realpath(path)
    if real in chain:
        circle = " -> ".join((*chain[chain.index(real) :], path))
        sources.errors.append(Problem(chain[-1], 0, "include", f"files include each other: {circle}"))
        return
    if len(chain) >= bounds.MAX_INCLUDE_DEPTH:
        message = f"more than {bounds.MAX_INCLUDE_DEPTH} files deep"
        sources.errors.append(Problem(chain[-1], 0, "include", message))
        return
    if real in sources.read:
        return
    if len(sources.read) >= bounds.MAX_FILES:
        raise _TooMuch(path, f"more than {bounds.MAX_FILES} files")
    sources.read.add(real)
    try:
        text = read_text(path)
        sources.characters += len(text)
        if sources.characters > bounds.MAX_SIZE_ALTOGETHER:
            raise _TooMuch(path, f"more than {bounds.MAX_SIZE_ALTOGETHER} bytes in all files")
        source = parse(path, text)
    except ConfigError as error:
        sources.errors.extend(error.problems)
        return
    sources.files.append(source)
    sources.warnings += _planted(source)
    for included in _included(source, sources, environ):
        _read_into(sources, included, (*chain, real), environ)


class _TooMuch(Exception):
    """There is no end to what is included."""


def parse(path: str, text: str) -> Source:
    """Parse the text of one file.

    Raises:
        ConfigError: it is not TOML.
    """
    bomb = bounds.find_bomb(text)
    if bomb is not None:
        raise ConfigError([Problem(path, bomb[0], "", bomb[1])])
    try:
        source = Source(path, tomllib.loads(text), key_lines(text))
    except tomllib.TOMLDecodeError as error:
        message, line = _syntax_error(str(error), text)
        raise ConfigError([Problem(path, line, "", message)]) from None
    except RecursionError:
        raise ConfigError([Problem(path, 0, "", "is nested too deeply")]) from None
    wrong = [source.problem(place, message) for place, message in bounds.misshapen(source.table)]
    if wrong:
        raise ConfigError(wrong)
    return source


def _syntax_error(error: str, text: str) -> tuple[str, int]:
    """Split "Expected '=' ... (at line 3, column 8)", or "(at end of document)", into message and line."""
    message, _, place = error.rpartition(" (at ")
    if not message:
        return f"is not TOML: {error}", 0
    digits = "".join(char if char.isdigit() else " " for char in place).split()
    line = int(digits[0]) if digits else text.removesuffix("\n").count("\n") + 1
    return f"is not TOML: {message}", line


def read_text(path: str) -> str:
    """The text of a regular file, never waiting for a FIFO or reading a device without end."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise ConfigError([Problem(path, 0, "", f"cannot be read: {_reason(error)}")]) from None
    try:
        _refuse_unusable(path, fd)
        data = _read(fd, bounds.MAX_SIZE + 1)
    except OSError as error:
        raise ConfigError([Problem(path, 0, "", f"cannot be read: {_reason(error)}")]) from None
    finally:
        os.close(fd)
    if len(data) > bounds.MAX_SIZE:
        raise ConfigError([Problem(path, 0, "", f"is larger than {bounds.MAX_SIZE} bytes")])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(path, line, "", "is not UTF-8")]) from None


def _refuse_unusable(path: str, fd: int) -> None:
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise ConfigError([Problem(path, 0, "", "is not a regular file")])
    if _anybody_writes(mode) and os.geteuid() == 0 and not _is_read_only(fd):
        reason = "everybody may write to it, so root does not use it (chmod o-w)"
        raise ConfigError([Problem(path, 0, "", reason)])


def _read(fd: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (piece := os.read(fd, count - len(data))):
        data += piece
    return bytes(data)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO)


def _anybody_writes(mode: int) -> bool:
    return bool(mode & stat.S_IWOTH)


def _is_read_only(place: int | str) -> bool:
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def _planted(source: Source) -> list[Problem]:
    """A warning where anybody may put another file in the place of one that root uses."""
    try:
        mode = os.stat(source.directory).st_mode
        risky = os.geteuid() == 0 and _anybody_writes(mode) and not mode & stat.S_ISVTX
        if not risky or _is_read_only(source.directory):
            return []
    except OSError:
        return []
    return [
        Problem(source.path, 0, "", f"everybody may write to its directory {source.directory} (chmod o-w)")
    ]


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
        if sum(map(glob.has_magic, expanded.split("/"))) > bounds.MAX_WILD_PARTS:
            message = f"{pattern!r} has wildcards in more than {bounds.MAX_WILD_PARTS} parts of the path"
            sources.errors.append(source.problem(("include",), message))
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
    first = path[0]
    outer = table.get(first)
    inner = is_table(outer) and len(path) > 1 and is_table(outer.get(path[1]))
    depth = 2 if first in NAMED or (inner and first != "supervisor") else 1
    where = f"[{'.'.join(path[:depth])}] {'.'.join(path[depth:])}".rstrip()
    return "include" if where == "[include]" else where
