"""The programs of a configuration as orchestrators see them: something to run, so many times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kahi.config.files import Source
from kahi.definition import ProcessDefinition
from kahi_migrate.draft import Level, Note
from kahi_migrate.export.text import Text


@dataclass(frozen=True, slots=True)
class Workload:
    """A program, or one of its processes where they differ.

    Args:
        name: of the program or process.
        table: where the program stands in the configuration.
        replicas: how many of it run.
        environment: None for what is secret.
        environment_files: files with more variables, which are not written out; their names count from
            ``home``.
        definition: all the rest, of the first process.
        depends_on: names of other workloads, and the condition each has to meet.
    """

    name: str
    table: tuple[str, str]
    replicas: int
    argv: tuple[Text, ...]
    environment: Mapping[str, Text | None]
    environment_files: tuple[str, ...]
    home: str
    directory: Text
    definition: ProcessDefinition
    depends_on: tuple[tuple[str, str], ...] = ()

    @property
    def ends_by_itself(self) -> bool:
        """Whether it is meant to end, rather than to run for ever."""
        return self.definition.start.oneshot or self.definition.start.autorestart == "never"


@dataclass(slots=True)
class Workloads:
    """All of them, and what is to be said about them.

    Args:
        name: of the whole: the identifier of the daemon.
        image: the container image that the person named, "" for none.
        sources: the files of the configuration.
    """

    name: str
    image: str
    sources: Sequence[Source]
    all: list[Workload] = field(default_factory=list[Workload])
    notes: list[Note] = field(default_factory=list[Note])

    def __iter__(self) -> Iterator[Workload]:
        return iter(self.all)

    def warn(self, workload: Workload, key: str, message: str) -> None:
        """Say what can not be expressed, or means something else; ``key`` "" for the whole table."""
        self.say("warning", (*workload.table, *key.split(".")) if key else workload.table, message)

    def note(self, workload: Workload, key: str, message: str) -> None:
        """Say what is worth knowing."""
        self.say("note", (*workload.table, *key.split(".")) if key else workload.table, message)

    def say(self, level: Level, path: tuple[str, ...], message: str) -> None:
        """Say something about a key, in the file that holds it."""

        def known(source: Source) -> int:
            return next((depth for depth in range(len(path), 0, -1) if path[:depth] in source.lines), 0)

        note = Note(level, max(self.sources, key=known).problem(path, message))
        if note not in self.notes:
            self.notes.append(note)

    def lost(self, workload: Workload, *keys: str, reason: str) -> None:
        """Say which of ``keys`` are set and can not be expressed."""
        for key in keys:
            if any((*workload.table, key) in source.lines for source in self.sources):
                self.warn(workload, key, f"left out: {reason}")
