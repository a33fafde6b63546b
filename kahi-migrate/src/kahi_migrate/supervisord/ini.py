"""INI files as supervisord's parser takes them apart, with the place of everything in them.

supervisord uses Python's ``RawConfigParser`` with ``;`` and `` #`` as comments inside of lines, and
without a check for duplicates. What that means is less than obvious (see the tests, which compare
each rule with the real parser), so it is done here line by line rather than with the parser itself,
which forgets lines and comments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from kahi.errors import Problem

DEFAULT: Final = "DEFAULT"
"""The section whose settings every other section has as well."""

_SIGNS: Final = (";", "#")
_HEADER: Final = re.compile(r"\[(?P<name>.+)\]")
_SETTING: Final = re.compile(r"(?P<key>.*?)\s*[=:]\s*(?P<value>.*)$")
_FIRST_CUT: Final = re.compile(r"(?:^|\s)[;#]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a value: what is left of it, and the comment that was cut off, with its sign."""

    number: int
    text: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A line that is a comment (with its sign), or blank ("")."""

    number: int
    text: str


@dataclass(slots=True)
class Setting:
    """A key with its value, which may go over several lines, and the comments between those."""

    key: str
    lines: list[Line]
    remarks: list[Remark] = field(default_factory=list[Remark])

    @property
    def line(self) -> int:
        """The line of the key."""
        return self.lines[0].number

    @property
    def value(self) -> str:
        """The value; its lines are joined by newlines."""
        return "\n".join(line.text for line in self.lines).rstrip()


@dataclass(slots=True)
class Block:
    """A section as it stands in one file; a section may stand there more than once."""

    name: str
    line: int
    comment: str = ""
    items: list[Setting | Remark] = field(default_factory=list["Setting | Remark"])

    @property
    def settings(self) -> list[Setting]:
        """The settings, duplicates too, in order."""
        return [item for item in self.items if isinstance(item, Setting)]


@dataclass(slots=True)
class IniFile:
    """One file, taken apart.

    Args:
        head: what stands before the first section.
        ambiguous: lines whose value depends on the Python that supervisord runs on.
    """

    path: str
    head: list[Remark] = field(default_factory=list[Remark])
    blocks: list[Block] = field(default_factory=list[Block])
    problems: list[Problem] = field(default_factory=list[Problem])
    ambiguous: list[int] = field(default_factory=list[int])


def parse(path: str, text: str) -> IniFile:
    """Take a file apart; what supervisord would refuse is in ``problems``."""
    reader = _Reader(path)
    for number, line in enumerate(text.split("\n"), 1):
        reader.take(number, line)
    return reader.file


def cut(line: str) -> int:
    """Where the comment in a line begins, or its length.

    A sign counts at the begin of the line or after white space. Up to Python 3.12 both signs are
    looked for side by side, and the first *round* that finds one decides: in ``a;b ;c #d`` the
    comment begins at the ``#``.
    """
    if line.strip().startswith(_SIGNS):
        return 0
    at = dict.fromkeys(_SIGNS, -1)
    found = len(line)
    while at and found == len(line):
        for sign in list(at):
            at[sign] = line.find(sign, at[sign] + 1)
            if at[sign] == -1:
                del at[sign]
            elif at[sign] == 0 or line[at[sign] - 1].isspace():
                found = min(found, at[sign])
    return found


class _Reader:
    def __init__(self, path: str) -> None:
        self.file = IniFile(path)
        self._indent = 0
        self._setting: Setting | None = None
        """The one that an indented line continues."""
        self._blanks: list[Line] = []
        """Blank lines after it: part of the value when it goes on."""

    def take(self, number: int, line: str) -> None:
        """The next line of the file."""
        end = cut(line)
        text, comment = line[:end].strip(), line[end:].strip()
        if not text:
            if not comment and self._setting is not None:
                self._blanks.append(Line(number, ""))
            self._items().append(Remark(number, comment))
            return
        self._note_ambiguity(number, line, text)
        indent = len(line) - len(line.lstrip())
        if self._setting is not None and indent > self._indent:
            self._continue(Line(number, text, comment))
            return
        self._indent = indent
        header = _HEADER.match(text)
        if header:
            self.file.blocks.append(Block(header["name"], number, comment))
            self._setting = None
        elif not self.file.blocks:
            if not any(problem.line for problem in self.file.problems):
                self._problem(number, "stands before the first section header, such as [supervisord]")
        else:
            self._begin(Line(number, text, comment))

    def _begin(self, line: Line) -> None:
        found = _SETTING.match(line.text)
        if found is None:
            what = "is no section header" if line.text.startswith("[") else "has no value"
            self._problem(line.number, f'{line.text!r} {what} (allowed: "[section]", "key = value")')
        elif not found["key"]:
            self._problem(line.number, "has no key before its value")
        else:
            first = Line(line.number, found["value"].strip(), line.comment)
            self._setting = Setting(found["key"].rstrip().lower(), [first])
            self._blanks = []
            self.file.blocks[-1].items.append(self._setting)

    def _continue(self, line: Line) -> None:
        assert self._setting is not None
        self._setting.lines += [*self._blanks, line]
        self._blanks = []
        items = self.file.blocks[-1].items
        inside = len(items) - 1
        while items[inside] is not self._setting:
            inside -= 1
        remarks = [item for item in items[inside + 1 :] if isinstance(item, Remark)]
        self._setting.remarks += [remark for remark in remarks if remark.text]
        del items[inside + 1 :]

    def _items(self) -> list[Setting | Remark] | list[Remark]:
        return self.file.blocks[-1].items if self.file.blocks else self.file.head

    def _note_ambiguity(self, number: int, line: str, text: str) -> None:
        first = _FIRST_CUT.search(line)
        if line[: first.start() if first else None].strip() != text:
            self.file.ambiguous.append(number)

    def _problem(self, number: int, message: str) -> None:
        self.file.problems.append(Problem(self.file.path, number, "", message))
