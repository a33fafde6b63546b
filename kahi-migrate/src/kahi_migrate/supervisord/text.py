"""Saying a supervisord value in Kahi's words: names and variables stay what they are."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from kahi_migrate.expression import Part, placeholder, render, seen_from, variable
from kahi_migrate.supervisord import template
from kahi_migrate.supervisord.configuration import HERE_MARK, Configuration, mark
from kahi_migrate.supervisord.template import Name, Piece

ONE_LINE: Final = 90
"""Characters up to which a command that went over several lines is put into one."""


class Inexpressible(ValueError):
    """Something Kahi has no words for; says what."""


@dataclass(slots=True)
class Speaker:
    """Translates the values of one section.

    Args:
        directory: where the result will be.
        variables: gets the names of the environment variables that the result refers to.
        own: variables that the section itself sets, and what they are: supervisord can refer to
            them where Kahi can not.
        literal: names that are something else in Kahi, and have to be written out.
    """

    configuration: Configuration
    directory: str
    variables: set[str]
    own: dict[str, list[Part]] = field(default_factory=dict[str, "list[Part]"])
    literal: Mapping[str, str] = field(default_factory=dict[str, str])

    def say(self, text: str) -> str:
        """A value of supervisord's as a value of Kahi's.

        Raises:
            Inexpressible: Kahi can not say it.
        """
        return render(self.parts(text))

    def parts(self, text: str, *, twice: bool = False) -> list[Part]:
        """The parts of a value.

        Args:
            twice: supervisord expands it two times.
        """
        parts = list(self._parts(template.parse(text)))
        if twice:
            parts = [
                part
                for first in parts
                for part in (
                    self._parts(template.parse(first)) if isinstance(first, str) and "%" in first else [first]
                )
            ]
        return parts

    def _parts(self, pieces: Iterable[Piece]) -> Iterator[Part]:
        for piece in pieces:
            if isinstance(piece, str):
                yield from self._with_directories(piece)
            elif piece.format != "%":
                yield from self._name(piece)

    def _name(self, name: Name) -> Iterator[Part]:
        if not name.name:
            # supervisord puts a dump of all its variables there, which nobody means.
            yield str(name)
        elif name.name.startswith("ENV_"):
            yield from self._variable(name)
        elif name.name == "here":
            yield from seen_from(self.directory, self.configuration.here)
        elif name.name in self.literal:
            yield f"%{name.format}" % self.literal[name.name]
        else:
            try:
                yield placeholder(name.name, name.format)
            except ValueError as error:
                raise Inexpressible(str(error)) from None

    def _variable(self, name: Name) -> Iterator[Part]:
        key = name.name.removeprefix("ENV_")
        if name.format.lstrip("-+ #0") != "s":
            raise Inexpressible(f"the format of {name} cannot be expressed")
        if key in self.own:
            yield from self.own[key]
            return
        try:
            yield variable(key)
        except ValueError as error:
            raise Inexpressible(str(error)) from None
        self.variables.add(key)

    def _with_directories(self, text: str) -> Iterator[Part]:
        """The text with the marks for directories taken out."""
        first, *rest = text.split(HERE_MARK)
        yield first
        for piece in rest:
            number = next(n for n in range(len(self.configuration.directories)) if mark(n)[1] == piece[0])
            yield from seen_from(self.directory, self.configuration.directories[number])
            yield piece[1:]

    def path_parts(self, text: str, *, twice: bool = False) -> list[Part]:
        """A path; a ``~`` at its begin is replaced, as supervisord does and Kahi does not."""
        parts = self.parts(text, twice=twice)
        first = parts[0] if parts else ""
        if not isinstance(first, str) or not first.startswith("~"):
            return parts
        user, slash, rest = first[1:].partition("/")
        if user:
            return [os.path.expanduser(first), *parts[1:]]
        self.variables.add("HOME")
        return [variable("HOME"), slash + rest, *parts[1:]]


def on_fewer_lines(command: str) -> str:
    """A command that went over several lines on one if it fits, else indented below the first."""
    lines = command.split("\n")
    for joint in (" ", "\n    "):
        joined = joint.join(line for line in lines if line)
        if joint == " " and len(joined) > ONE_LINE:
            continue
        try:
            if shlex.split(joined) == shlex.split(command):
                return joined
        except ValueError:
            break
    return command
