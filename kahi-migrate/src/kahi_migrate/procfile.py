"""Procfiles, with the ``.env`` beside them, as a source format."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Final

from kahi.config.dotenv import DotenvError, parse_dotenv
from kahi.config.files import read_text
from kahi.errors import ConfigError, Problem
from kahi_migrate.draft import Draft, Place, Remark, Table
from kahi_migrate.expression import render, seen_from
from kahi_migrate.source import Request, SourceFormat

FIRST_PORT: Final = 5000
PORT_STEP: Final = 100
"""Each process is told a port of its own in PORT, those of a process type following one another."""

RELEASE: Final = "release"
"""What is to run once before everything else."""

_PROCESS: Final = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>.+)")
_NEEDS_SHELL: Final = re.compile(r"[$`|&;<>()*?\[\]{}~#!\\]|^\S*=")
_SEVERAL_COMMANDS: Final = re.compile(r"[|&;()]|^\S*=")


@dataclass(slots=True)
class _Procfile:
    path: str
    processes: dict[str, _Process] = field(default_factory=dict[str, "_Process"])
    remarks: list[Remark] = field(default_factory=list[Remark])
    problems: list[Problem] = field(default_factory=list[Problem])


@dataclass(frozen=True, slots=True)
class _Process:
    place: Place
    command: str
    before: list[Remark]


def recognise(path: str, text: str) -> bool:
    """By its name, or because all of its lines say ``name: command`` and there is no section."""
    if os.path.basename(path).startswith("Procfile"):
        return True
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return bool(lines) and all(_PROCESS.fullmatch(line) for line in lines)


def read_draft(request: Request) -> Draft:
    """The draft of a Procfile.

    Raises:
        ConfigError: a line says nothing that can be run.
    """
    found = _parse(request.path)
    if found.problems:
        raise ConfigError(found.problems)
    draft = Draft(request.path, files=[request.path])
    home = os.path.dirname(request.path)
    variables = _read_variables(os.path.join(home, ".env"), draft)
    here = seen_from(request.directory, home)
    port = _first_port(variables)
    for name, process in found.processes.items():
        table = draft.table("programs", name, place=process.place)
        table.before = process.before
        table.set("command", _command(process.command))
        table.set("directory", render(here))
        if variables is not None:
            table.set("environment_file", [render([*here, "/.env"])])
        if name == RELEASE:
            _run_first(draft, table)
        table.child("environment").set("PORT", str(port))
        port += PORT_STEP
    draft.items += found.remarks
    if found.processes:
        first = next(iter(found.processes.values())).place
        draft.note(
            Place(first.file, first.line),
            "a Procfile does not say what follows when a process ends: here those that fail are started "
            'again; [supervisor] exit_when = "any-exited" ends all with the first',
        )
    return draft


def _parse(path: str) -> _Procfile:
    found = _Procfile(path)
    before: list[Remark] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.strip()
        match = _PROCESS.fullmatch(text)
        if not text or text.startswith("#"):
            before.append(Remark(text[1:]))
        elif match is None:
            message = f'{text!r} is no process (allowed: "name: command", comments)'
            found.problems.append(Problem(path, number, "", message))
        elif match["name"] in found.processes:
            found.problems.append(Problem(path, number, match["name"], "is there already"))
        else:
            place = Place(path, number, match["name"])
            found.processes[match["name"]] = _Process(place, match["command"], before)
            before = []
    found.remarks = before
    return found


def _read_variables(path: str, draft: Draft) -> dict[str, str] | None:
    """What a ``.env`` sets; None when there is none, or none that can be read."""
    if not os.path.exists(path):
        return None
    try:
        return parse_dotenv(read_text(path))
    except DotenvError as error:
        draft.warn(Place(path, 0), f"left out: {error}")
        return None


def _first_port(variables: dict[str, str] | None) -> int:
    text = (variables or {}).get("PORT", "")
    return int(text) if text.isdecimal() else FIRST_PORT


def _command(command: str) -> str | list[str]:
    """The command as it is, or in the hands of a shell where it takes one."""
    if not _NEEDS_SHELL.search(command):
        return render([command])
    # With exec, signals reach the program itself.
    whole = command if _SEVERAL_COMMANDS.search(command) else f"exec {command}"
    return ["sh", "-c", render([whole])]


def _run_first(draft: Draft, table: Table) -> None:
    table.set("oneshot", True)
    draft.note(
        table.place,
        'runs once; what has to wait for it says depends_on = { release = "exited" }',
    )


PROCFILE = SourceFormat("procfile", "Procfile, with the .env beside it", recognise, read_draft)
