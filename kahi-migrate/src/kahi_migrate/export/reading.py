"""Reading a configuration for an export: variables stay references, secrets stay out."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kahi.config.config import Config
from kahi.config.files import Source, Sources, read_all
from kahi.config.loading import PROGRAM_TABLES, load
from kahi.config.resolved import without_credentials
from kahi.config.toml import is_list, is_table
from kahi.definition import ProcessDefinition, StreamSettings
from kahi.errors import ConfigError
from kahi.plugins import PluginManager
from kahi_migrate.export.text import Text, marked, parse
from kahi_migrate.export.workload import Workload, Workloads

SECRET: Final = re.compile(
    r"passw|passphrase|secret|token|credential|private|api_?key|(^|_)(pass|pwd|key|auth|dsn|salt)(_|$)",
    re.IGNORECASE,
)
"""Names of variables whose values are not written out."""

TEXTS: Final = frozenset({"command", "environment", "directory"})
"""Keys of programs in which a variable can stay a reference."""

_REFERENCE: Final = re.compile(r"\$\$|\$\{(?P<name>[^{}:]*)\}")


def read_workloads(
    path: str, plugins: PluginManager, environ: Mapping[str, str], image: str = ""
) -> Workloads:
    """Everything that is to be exported.

    Raises:
        ConfigError: the configuration does not load.
    """
    sources = read_all(path, environ)
    if sources.errors:
        raise ConfigError(sources.errors)
    references = {name: marked(name) for name in _references(sources)}
    config = load(path, sections=plugins.sections, environ={**environ, **references}, sources=sources)
    return _Making(config, sources, image).all()


def _references(sources: Sources) -> set[str]:
    """Variables that are referred to without a default, in texts of programs and nowhere else."""
    in_texts: set[str] = set()
    elsewhere: set[str] = set()
    for source in sources.files:
        for table, content in source.table.items():
            for key, value in _leaves(content):
                of_program = table in PROGRAM_TABLES and len(key) > 1 and key[1] in TEXTS
                names = {found["name"] for found in _REFERENCE.finditer(value) if found["name"]}
                (in_texts if of_program else elsewhere).update(names)
    return in_texts - elsewhere


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """All texts in a table, with the keys that lead to them."""
    if isinstance(value, str):
        yield path, value
    elif is_list(value):
        for item in value:
            yield from _leaves(item, path)
    elif is_table(value):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))


class _Making:
    def __init__(self, config: Config, sources: Sources, image: str) -> None:
        self._config = config
        self._found = Workloads(config.supervisor.identifier, image, sources.files)
        self._tables = {
            name: (table, raw, source.directory)
            for source in sources.files
            for table in PROGRAM_TABLES
            for name, raw in _tables(source, table)
        }
        self._shared = set(config.supervisor.environment)

    def all(self) -> Workloads:
        """Everything that the configuration runs."""
        for group in self._config.groups.values():
            programs: dict[str, list[ProcessDefinition]] = {}
            for process in group.processes:
                programs.setdefault(process.program, []).append(process)
            for program, processes in programs.items():
                if processes[0].listener is not None:
                    path = ("eventlisteners", program)
                    self._found.say("warning", path, "left out: event listeners speak with Kahi only")
                else:
                    self._add(processes)
        self._found.all = [
            dataclasses.replace(workload, depends_on=tuple(self._dependencies(workload)))
            for workload in self._found.all
        ]
        return self._found

    def _dependencies(self, workload: Workload) -> Iterator[tuple[str, str]]:
        """What a workload waits for: a program may have become several workloads."""
        for needed, state in workload.definition.depends_on:
            for other in self._found.all:
                if needed in (other.name, other.definition.program, other.definition.name):
                    yield other.name, state

    def _add(self, processes: list[ProcessDefinition]) -> None:
        if _are_alike(processes):
            self._found.all.append(self._workload(processes[0].program, processes[0], len(processes)))
            return
        for process in processes:
            self._found.all.append(self._workload(process.name, process, 1))

    def _workload(self, name: str, process: ProcessDefinition, replicas: int) -> Workload:
        table, raw, home = self._tables[process.program]
        own = raw.get("environment")
        written = self._shared | (set(own) if is_table(own) else set[str]())
        files = raw.get("environment_file")
        workload = Workload(
            name=name,
            table=(table, process.program),
            replicas=replicas,
            argv=tuple(parse(word) for word in process.spawn.command),
            environment={
                key: _unless_secret(key, v) for key, v in process.spawn.environment if key in written
            },
            environment_files=tuple(map(str, files)) if is_list(files) else (),
            home=home,
            directory=parse(process.spawn.directory),
            definition=process,
        )
        return self._without_credentials(workload)

    def _without_credentials(self, workload: Workload) -> Workload:
        """The workload with passwords in URLs of its command replaced."""
        argv = tuple(
            tuple(without_credentials(part) if isinstance(part, str) else part for part in word)
            for word in workload.argv
        )
        if argv != workload.argv:
            self._found.warn(workload, "command", "a password in it is left out: give it in a variable")
        return dataclasses.replace(workload, argv=argv)


def _tables(source: Source, table: str) -> list[tuple[str, dict[str, Any]]]:
    content: object = source.table.get(table)
    return [(name, raw) for name, raw in content.items() if is_table(raw)] if is_table(content) else []


def _are_alike(processes: Sequence[ProcessDefinition]) -> bool:
    """Whether processes of a program differ in nothing but their number, name and logs."""
    plain = [
        dataclasses.replace(each, name="", number=0, stdout=StreamSettings(), stderr=StreamSettings())
        for each in processes
    ]
    return all(each == plain[0] for each in plain)


def _unless_secret(key: str, value: str) -> Text | None:
    return None if SECRET.search(key) or without_credentials(value) != value else parse(value)
