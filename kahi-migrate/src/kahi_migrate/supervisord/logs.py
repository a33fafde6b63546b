"""Logs of their own for streams that share one in supervisord, where rotation would garble it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kahi_migrate.expression import Part, Reference, placeholder
from kahi_migrate.supervisord import values
from kahi_migrate.supervisord.names import Key, key
from kahi_migrate.supervisord.resolved import Log, Program

DEVICES: Final[Mapping[str, str]] = {
    "/dev/stdout": "/dev/stdout",
    "/dev/fd/1": "/dev/stdout",
    "/proc/self/fd/1": "/dev/stdout",
    "/dev/stderr": "/dev/stderr",
    "/dev/fd/2": "/dev/stderr",
    "/proc/self/fd/2": "/dev/stderr",
    "/dev/null": "/dev/null",
}
"""Files that are no files of their own, and what Kahi calls them."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """What goes into the name of a log, before its extension, so that it is nobody else's."""

    text: str = ""
    number: bool = False

    def parts(self) -> list[Part]:
        """As part of a value."""
        return [self.text, "_", placeholder("process_num", "d")] if self.number else [self.text]

    def into(self, parts: list[Part]) -> list[Part]:
        """Put it into the name of a log."""
        last = parts[-1] if parts else ""
        if isinstance(last, Reference):
            return [*parts, *self.parts()]
        stem, extension = os.path.splitext(last)
        return [*parts[:-1], stem, *self.parts(), extension]

    def of_process(self, path: str, number: int) -> str:
        """The log of one process."""
        stem, extension = os.path.splitext(path)
        return f"{stem}{self.text}{f'_{number}' if self.number else ''}{extension}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one stream's log: ``merged`` into stdout, or given a name of its own.

    Args:
        shared_with: who else writes to it in supervisord.
    """

    merged: bool = False
    insertion: Insertion | None = None
    shared_with: str = ""


def is_file(log: Log) -> bool:
    """Whether a stream goes to a file that is named."""
    return log.path is not None and log.path != values.AUTO and log.path not in DEVICES


def plan_logs(programs: Iterable[Program], table: Callable[[Program], str]) -> dict[tuple[Key, str], Plan]:
    """How each stream gets a log of its own; those that have one are left out.

    Args:
        table: what a program is called in Kahi.
    """
    users: dict[str, str] = {}
    plans: dict[tuple[Key, str], Plan] = {}
    for program in programs:
        for stream in ("stdout", "stderr"):
            if program.kind == "eventlistener" and stream == "stdout":
                continue
            logs = _Logs(program, stream)
            if stream == "stderr" and logs.are_those_of_stdout():
                plans[key(program), stream] = Plan(merged=True)
                continue
            insertion = logs.first_free(users.keys(), table(program))
            if insertion != Insertion():
                shared = next((users[path] for path in logs.paths(Insertion()) if path in users), "")
                plans[key(program), stream] = Plan(
                    insertion=insertion, shared_with=shared or f"every process of {program.name}"
                )
            users |= dict.fromkeys(logs.paths(insertion), f"the {stream} of {program.name}")
    return plans


@dataclass(frozen=True, slots=True)
class _Logs:
    program: Program
    stream: str

    def paths(self, insertion: Insertion) -> list[str]:
        """The files that the processes write to, those that are files."""
        return [
            os.path.realpath(insertion.of_process(log.path or "", process.number))
            for process in self.program.processes
            for log in (process.stdout if self.stream == "stdout" else process.stderr,)
            if is_file(log)
        ]

    def are_those_of_stdout(self) -> bool:
        """Whether stderr goes to the file of stdout, and nowhere else, in all processes."""
        return bool(self.program.processes) and all(
            is_file(process.stderr)
            and process.stderr.path == process.stdout.path
            and not (
                process.stderr.events_enabled or process.stderr.capture_maxbytes or process.stderr.syslog
            )
            for process in self.program.processes
        )

    def first_free(self, taken: Collection[str], name: str) -> Insertion:
        """What has to go into the names of the logs so that nobody else has them."""
        count = len(self.program.processes)
        for insertion in _insertions(name, self.stream, count):
            paths = self.paths(insertion)
            if len(set(paths)) == len(paths) and not any(path in taken for path in paths):
                return insertion
        return Insertion(f"-{name}-{self.stream}", number=count > 1)


def _insertions(name: str, stream: str, count: int) -> Iterator[Insertion]:
    for text in ("", f"-{name}", f"-{name}-{stream}"):
        yield Insertion(text)
        if count > 1:
            yield Insertion(text, number=True)
