"""A Kahi configuration in the making: what every source format hands over.

A draft keeps the order of its source and where each part came from, so that whatever is wrong with
the result can be said with the line that the person wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from kahi.errors import Problem

ROOT: Final = ("root", "0")
"""Only a daemon that runs as root can have programs that do."""

Level = Literal["warning", "note"]
Scalar = str | int | float | bool
Value = Scalar | list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the source; ``where`` as a person would point at it there."""

    file: str
    line: int
    where: str = ""

    def problem(self, message: str) -> Problem:
        """Something to be said about it."""
        return Problem(self.file, self.line, self.where, message)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the person has to know.

    Args:
        level: a warning when something is lost or changes its meaning, a note when it is only
            worth knowing. With ``--strict``, warnings fail.
    """

    level: Level
    problem: Problem

    def __str__(self) -> str:
        return f"{self.level}: {self.problem}"


@dataclass(slots=True)
class Remark:
    """A comment, or a blank line ("")."""

    text: str


@dataclass(slots=True)
class Entry:
    """A key and its value; ``comment`` stands behind it."""

    key: str
    value: Value
    place: Place
    comment: str = ""


@dataclass(slots=True)
class Table:
    """A table with what it holds, in order.

    Args:
        path: its name, part by part.
        before: comments above its header, ``comment`` the one behind it.
        after: comments below it and all its sub-tables.
        disabled: why the whole table is written as a comment; "" when it is not.
    """

    path: tuple[str, ...]
    place: Place
    items: list[Entry | Remark | Table] = field(default_factory=list["Entry | Remark | Table"])
    before: list[Remark] = field(default_factory=list[Remark])
    comment: str = ""
    after: list[Remark] = field(default_factory=list[Remark])
    disabled: str = ""

    def set(self, key: str, value: Value, place: Place | None = None, comment: str = "") -> None:
        """Add a key, or replace it where it stands."""
        entry = Entry(key, value, place or self.place, comment)
        for index, item in enumerate(self.items):
            if isinstance(item, Entry) and item.key == key:
                self.items[index] = entry
                return
        self.items.append(entry)

    def get(self, key: str) -> Entry | None:
        """The entry of a key."""
        return next((entry for entry in self.entries() if entry.key == key), None)

    def entries(self) -> list[Entry]:
        """All keys, without those of sub-tables."""
        return [item for item in self.items if isinstance(item, Entry)]

    def child(self, key: str, place: Place | None = None) -> Table:
        """The sub-table ``key``, made when it is not there."""
        path = (*self.path, key)
        for item in self.items:
            if isinstance(item, Table) and item.path == path:
                return item
        made = Table(path, place or self.place)
        self.items.append(made)
        return made

    def remark(self, text: str) -> None:
        """Add a comment."""
        self.items.append(Remark(text))

    def all_entries(self) -> Iterator[tuple[Table, Entry]]:
        """All keys with the table they stand in, those of sub-tables too."""
        for item in self.items:
            if isinstance(item, Entry):
                yield self, item
            elif isinstance(item, Table):
                yield from item.all_entries()


@dataclass(frozen=True, slots=True)
class Expected:
    """A process as the source's own program would run it, for a comparison.

    Args:
        name: of the process, ``group`` of its group; ``program`` and ``number`` are what the draft calls
            it.
        environment: what the configuration adds, without what is inherited.
        directory: "" for the directory of the daemon, ``user`` likewise.
        umask: None for the daemon's.
        stdout: a path, ``AUTO`` or "" for none; ``stderr`` None when it goes where stdout goes.
        priority: that of its group, and its own in it.
    """

    name: str
    group: str
    program: str
    number: int
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict[str, str])
    directory: str = ""
    user: str = ""
    umask: int | None = None
    stdout: str = ""
    stderr: str | None = ""
    priority: tuple[int, int] = (999, 999)


@dataclass(slots=True)
class Draft:
    """A whole configuration.

    Args:
        source: the file that was named, ``files`` all that were read.
        items: tables, and comments between them.
        variables: environment variables that the result refers to; ``unset`` those that are not set
            here.
        expected: what the source's own program would run; None when it does not say.
    """

    source: str
    items: list[Table | Remark] = field(default_factory=list["Table | Remark"])
    notes: list[Note] = field(default_factory=list[Note])
    variables: set[str] = field(default_factory=set[str])
    unset: set[str] = field(default_factory=set[str])
    expected: list[Expected] | None = None
    files: list[str] = field(default_factory=list[str])

    def table(self, *path: str, place: Place) -> Table:
        """The table of that name, made when it is not there."""
        for table in self.tables():
            if table.path == path:
                return table
        made = Table(path, place)
        self.items.append(made)
        return made

    def tables(self) -> list[Table]:
        """All tables, in order, without sub-tables."""
        return [item for item in self.items if isinstance(item, Table)]

    def remark(self, text: str) -> None:
        """Add a comment that belongs to no table."""
        self.items.append(Remark(text))

    def warn(self, place: Place, message: str) -> None:
        """Say what is lost, or changes its meaning, and what to do."""
        self._note(Note("warning", place.problem(message)))

    def note(self, place: Place, message: str) -> None:
        """Say what is worth knowing."""
        self._note(Note("note", place.problem(message)))

    def unsupported(self, table: Table | None, place: Place, text: str, reason: str) -> None:
        """Leave something out: a comment where it would stand, and a warning.

        Args:
            table: where it would stand; None for the end of the draft.
            text: what the source says, without secrets.
        """
        remark = f"unsupported: {' '.join(text.split())} ({reason})"
        (table or self).remark(remark)
        self.warn(place, f"left out: {reason}")

    def disable(self, table: Table, reason: str) -> None:
        """Write a whole table as a comment."""
        table.disabled = reason
        self.warn(table.place, f"left out: {reason}")

    def prune_groups(self) -> None:
        """Take programs that are left out out of their groups."""
        gone = {table.path[1] for table in self.tables() if table.disabled and len(table.path) > 1}
        for table in self.tables():
            programs = table.get("programs")
            if table.path[0] == "groups" and programs is not None and isinstance(programs.value, list):
                programs.value = [str(name) for name in programs.value if name not in gone]

    def sorted_notes(self) -> list[Note]:
        """The notes in the order in which a person goes through the files."""
        order = {file: number for number, file in enumerate(self.files)}
        return sorted(self.notes, key=lambda n: (order.get(n.problem.file, len(order)), n.problem.line))

    def _note(self, note: Note) -> None:
        if note not in self.notes:
            self.notes.append(note)
