"""Reading a configuration for an export: variables stay references, secrets stay out."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
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

_REFERENCE: Final = re.compile(r"\$\$|\$\{(?P<name>[^{}:]*)(?P<default>:-[^{}]*)?\}")


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
    shared = {name for source in sources.files for name in _shared(source)}
    sources.files = [_with_marks(source, shared) for source in sources.files]
    config = load(path, sections=plugins.sections, environ=environ, sources=sources)
    return _Making(config, sources, image).all()


def _shared(source: Source) -> Iterator[str]:
    """Names of the variables that the configuration gives to all programs, and that are no secret."""
    supervisor: object = source.table.get("supervisor")
    environment = supervisor.get("environment") if is_table(supervisor) else None
    yield from (name for name in environment if not SECRET.search(name)) if is_table(environment) else ()


def _with_marks(source: Source, known: Collection[str]) -> Source:
    """The file with marks in place of references to variables that are not known, in texts of programs."""
    table = dict(source.table)
    for name in PROGRAM_TABLES:
        if is_table(programs := table.get(name)):
            table[name] = {key: _program_with_marks(raw, known) for key, raw in programs.items()}
    return dataclasses.replace(source, table=table)


def _program_with_marks(raw: object, known: Collection[str]) -> object:
    if not is_table(raw):
        return raw
    return {key: _marked(value, known) if key in TEXTS else value for key, value in raw.items()}


def _marked(value: Any, known: Collection[str]) -> Any:
    def mark(found: re.Match[str]) -> str:
        name = found["name"]
        if not name or name in known or (found["default"] and not SECRET.search(name)):
            return found[0]
        return marked(name)

    if isinstance(value, str):
        return _REFERENCE.sub(mark, value)
    if is_list(value):
        return [_marked(item, known) for item in value]
    return {key: _marked(item, known) for key, item in value.items()} if is_table(value) else value


def _references(value: Any) -> Iterator[str]:
    """Names of the variables that any text in ``value`` refers to."""
    if isinstance(value, str):
        yield from (found["name"] for found in _REFERENCE.finditer(value) if found["name"])
    elif is_list(value):
        yield from (name for item in value for name in _references(item))
    elif is_table(value):
        yield from (name for item in value.values() for name in _references(item))


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
        return self._without_secret_check(self._without_credentials(workload), raw)

    def _without_credentials(self, workload: Workload) -> Workload:
        """The workload with passwords in URLs of its command replaced."""
        argv = tuple(
            tuple(without_credentials(part) if isinstance(part, str) else part for part in word)
            for word in workload.argv
        )
        if argv != workload.argv:
            self._found.warn(workload, "command", "a password in it is left out: give it in a variable")
        return dataclasses.replace(workload, argv=argv)

    def _without_secret_check(self, workload: Workload, raw: Mapping[str, Any]) -> Workload:
        """The workload without a health check that holds a secret: no format can refer to one there."""
        health = workload.definition.health
        if health is None:
            return workload
        names = list(dict.fromkeys(_references(raw.get("health"))))
        target = [*health.target] if health.kind == "exec" else health.target
        if without_credentials(target) == target and not any(map(SECRET.search, names)):
            if names:
                self._found.warn(workload, "health", f"what {', '.join(names)} is here and now is written")
            return workload
        self._found.warn(workload, "health", "left out: there is a secret in it")
        return dataclasses.replace(workload, definition=dataclasses.replace(workload.definition, health=None))


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
