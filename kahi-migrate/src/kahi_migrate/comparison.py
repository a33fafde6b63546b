"""What runs before a migration and after it, process by process (``--check``)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kahi.config.config import Config
from kahi.definition import GroupDefinition, ProcessDefinition, StreamSettings
from kahi_migrate.draft import ROOT, Draft, Expected

NOWHERE: Final = ("", "/dev/null")
OF_THE_DAEMON: Final = "that of the daemon"


@dataclass(frozen=True, slots=True)
class Row:
    """One property of a process, before and after, for people; the same text when it is the same."""

    what: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the migration changes it."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Compared:
    """A process; without rows when only one side has it, which ``remark`` then says."""

    name: str
    rows: tuple[Row, ...] = ()
    remark: str = ""

    @property
    def differs(self) -> bool:
        """Whether the migration changes anything about it."""
        return bool(self.remark) or any(row.differs for row in self.rows)


def compare(draft: Draft, config: Config) -> list[Compared]:
    """All processes of the source and of a configuration, side by side, in the source's order."""
    found = {
        (process.program, process.number): (group, process)
        for group in config.groups.values()
        for process in group.processes
    }
    compared: list[Compared] = []
    for expected in draft.expected or ():
        pair = found.pop((expected.program, expected.number), None)
        if pair is None:
            compared.append(Compared(expected.name, remark="is not there any more"))
        else:
            group, process = pair
            compared.append(Compared(process.name, tuple(_rows(expected, group, process, config))))
    return compared + [Compared(process.name, remark="is new") for _, process in found.values()]


def _rows(
    expected: Expected, group: GroupDefinition, process: ProcessDefinition, config: Config
) -> Iterator[Row]:
    spawn = process.spawn
    user = "" if spawn.user == config.supervisor.user else spawn.user
    yield Row("name", expected.name, process.name)
    yield Row("group", expected.group, process.group)
    yield Row("argv", shlex.join(expected.argv), shlex.join(spawn.command))
    yield _environment(expected, process, keeps=user in ("", *ROOT) or spawn.inherit_environment)
    yield Row("directory", expected.directory or OF_THE_DAEMON, spawn.directory or OF_THE_DAEMON)
    yield Row("user", expected.user or OF_THE_DAEMON, user or OF_THE_DAEMON)
    yield Row("umask", _mode(expected.umask), _mode(spawn.umask))
    yield Row("stdout", _log(expected.stdout), _stream(process.stdout))
    # One file for both is the same as joining them.
    is_joined = expected.stderr == expected.stdout and expected.stdout not in (*NOWHERE, "AUTO")
    yield Row("stderr", _log(None if is_joined else expected.stderr), _stream(process.stderr))
    yield Row("priority", _priority(*expected.priority), _priority(group.priority, process.priority))


def _environment(expected: Expected, process: ProcessDefinition, *, keeps: bool) -> Row:
    """Names only: values may be secrets. ``keeps``: it gets the environment of the daemon as well."""
    before, after = expected.environment, dict(process.spawn.environment)

    def told(own: dict[str, str], other: dict[str, str]) -> str:
        names = (
            name if name not in other or own[name] == other[name] else f"{name} (another value)"
            for name in sorted(own)
        )
        return " ".join(names) or "nothing of its own"

    changed = told(after, before)
    if process.spawn.clean_environment or not keeps:
        changed += ", and nothing of the daemon's"
    return Row("environment", told(before, before), changed)


def _mode(mode: int | None) -> str:
    return OF_THE_DAEMON if mode is None else f"{mode:03o}"


def _log(path: str | None) -> str:
    if path is None:
        return "joined to stdout"
    if path == "AUTO":
        return "a temporary file"
    return "nowhere" if path in NOWHERE else path


def _stream(settings: StreamSettings | None) -> str:
    if settings is None:
        return _log(None)
    return "the console of the daemon" if not settings.logfile else _log(settings.logfile)


def _priority(group: int, own: int) -> str:
    return str(own) if group == own else f"{own} in a group of {group}"


def tell(compared: list[Compared], source: str) -> Iterator[str]:
    """Lines for a person; where there is a difference, a line for each side."""
    for process in compared:
        yield process.name if not process.remark else f"{process.name} {process.remark}"
        for row in process.rows:
            if row.differs:
                yield f"  {row.what:<12} - {source}: {row.before}"
                yield f"  {'':<12} + kahi: {row.after}"
            elif row.what not in ("name", "group"):
                yield f"  {row.what:<12} {row.before}"
    different = sum(process.differs for process in compared)
    count = f"{len(compared)} process{'' if len(compared) == 1 else 'es'}"
    yield f"{count}, {different or 'none'} of them different"
