"""Running the migrator from tests."""

from __future__ import annotations

import functools
import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kahi.cli.entry import run
from kahi.cli.program import guarded
from kahi.plugins import PluginManager
from kahi_migrate import migration
from kahi_migrate.command import migrate as command
from kahi_migrate.migration import Migration

ENVIRON = {"HOME": "/home/me", "PATH": "/usr/bin:/bin", "GREETING": "good morning", "NUMBER": "2"}
HEAD = "[supervisord]\nnodaemon = true\n"


@functools.cache
def all_plugins() -> PluginManager:
    """The installed plugins, found once for all tests."""
    plugins = PluginManager()
    plugins.discover()
    plugins.declare_sections()
    return plugins


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a source, for assertions."""

    migration: Migration

    @property
    def text(self) -> str:
        """The TOML."""
        return self.migration.text

    @property
    def table(self) -> dict[str, Any]:
        """The TOML, parsed."""
        return tomllib.loads(self.text)

    @property
    def warnings(self) -> list[str]:
        """Warnings as they are printed, without the directory."""
        return self._notes("warning")

    @property
    def notes(self) -> list[str]:
        """Notes likewise."""
        return self._notes("note")

    def _notes(self, level: str) -> list[str]:
        found = (note for note in self.migration.draft.sorted_notes() if note.level == level)
        return [str(note.problem).removeprefix(f"{Path(note.problem.file).parent}/") for note in found]

    def program(self, name: str = "web") -> dict[str, Any]:
        """The table of a program."""
        return self.table["programs"][name]


def migrated(directory: Path, text: str, environ: Mapping[str, str] = ENVIRON, **files: str) -> Result:
    """Migrate ``text`` as supervisord.conf; ``files`` stand beside it (``x_ini`` is x.ini)."""
    path = write_source(directory, text, **files)
    return Result(migration.migrate(str(path), all_plugins(), environ, source_format="supervisord"))


def write_source(directory: Path, text: str, **files: str) -> Path:
    """Write a source; blanks before its lines that they have in common are left out."""
    for name, content in files.items():
        (directory / name.replace("_", ".")).write_text(textwrap.dedent(content), encoding="utf-8")
    path = directory / "supervisord.conf"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def kahi_migrate(*arguments: str) -> int:
    """Run the command line in this process; what it prints goes to the test's capsys."""
    return guarded(lambda: run(list(arguments), command, "kahi-migrate"))
