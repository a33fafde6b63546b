"""From files to a whole configuration, or to everything that is wrong with them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from kahi.config import checks
from kahi.config.absent import PLUGIN_KEYS, PLUGIN_TABLES, accepted, install_hint, install_line, may_belong
from kahi.config.config import Config
from kahi.config.files import Source, Sources, read_all
from kahi.config.health import HealthKinds
from kahi.config.listener import DEFAULT_PRIORITY
from kahi.config.models import (
    EventListenerModel,
    FcgiProgramModel,
    GroupModel,
    ProgramModel,
    SupervisorSettings,
)
from kahi.config.place import Place
from kahi.config.programs import ProgramReader
from kahi.config.report import OnFailure, Report, TooManyProblems
from kahi.config.toml import is_list, is_table
from kahi.config.validation import expand_table, validate
from kahi.config.values import check_name
from kahi.definition import GroupDefinition, ProcessDefinition
from kahi.errors import ConfigError, Problem
from kahi.hookspecs import ConfigSection

MAIN_ONLY: Final = frozenset({"supervisor", "server"})
"""Tables that an included file may not hold."""

ModelT = TypeVar("ModelT", bound=BaseModel)


PROGRAM_TABLES: Final[Mapping[str, type[ProgramModel]]] = {
    "programs": ProgramModel,
    "fcgi_programs": FcgiProgramModel,
    "eventlisteners": EventListenerModel,
}
"""Tables whose entries are programs."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A table in a table of named tables, and the file it stands in."""

    table: str
    source: Source
    raw: dict[str, Any]


def load(
    path: str,
    *,
    sections: Sequence[ConfigSection] = (),
    environ: Mapping[str, str] | None = None,
    sources: Sources | None = None,
    health_kinds: HealthKinds | None = None,
    out_of_service: Mapping[str, str] | None = None,
    on_failure: OnFailure | None = None,
    working_directory: str = "",
) -> Config:
    """Read, check and resolve a configuration; may block on the disk.

    Args:
        sections: what plugins declared.
        environ: what ``${NAME}`` refers to; the process's own environment when None.
        sources: the files, when they have been read already.
        health_kinds: kinds of health checks that plugins bring.
        out_of_service: what is the matter with plugins whose tables nobody knows; unknown tables may
            be theirs, and are accepted with a warning.
        on_failure: told of the model of a plugin that fails in another way than by finding mistakes;
            its table is then accepted with a warning. Otherwise that is a mistake, too.
        working_directory: where relative paths of programs begin unless ``[supervisor] directory``
            says otherwise; the process's own when "".

    Raises:
        ConfigError: with every problem of all files.
    """
    variables = dict(os.environ if environ is None else environ)
    found = sources or read_all(path, variables)
    report = Report(found.errors, found.warnings, may_belong(out_of_service or {}), on_failure)
    loading = _Loading(
        found,
        sections,
        variables,
        health_kinds or {},
        out_of_service or {},
        working_directory or own_directory(),
        report,
    )
    return loading.result(path)


def own_directory() -> str:
    """The working directory of this process, the root where that is gone."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def disabled_plugins(sources: Sources) -> list[str]:
    """The plugins that the main file disables: to be known before any is imported."""
    table: object = sources.files[0].table.get("supervisor") if sources.files else None
    names: object = table.get("disabled_plugins") if is_table(table) else None
    return [name for name in names if isinstance(name, str)] if is_list(names) else []


class _Loading:
    """One load. The tables are taken apart first, then checked in the order they depend on."""

    def __init__(
        self,
        sources: Sources,
        sections: Sequence[ConfigSection],
        environ: dict[str, str],
        health_kinds: HealthKinds,
        out_of_service: Mapping[str, str],
        working_directory: str,
        report: Report,
    ) -> None:
        self._working_directory = working_directory
        self._sources = sources
        self._environ = environ
        self._health_kinds = health_kinds
        self._tables = {s.name: s for s in sections if not s.in_program and not s.in_supervisor}
        self._in_supervisor = [s for s in sections if s.in_supervisor]
        self._program_keys = {s.name: s.model for s in sections if s.in_program and _is_free(s, report)}
        self._out_of_service = out_of_service
        self._report = report
        self._named: dict[str, dict[str, _Named]] = {table: {} for table in (*PROGRAM_TABLES, "groups")}
        self._programs: dict[str, _Named] = {}
        self._single: dict[str, tuple[Source, Any]] = {}

    def result(self, path: str) -> Config:
        """The configuration; raises ConfigError."""
        try:
            found = self._resolved(path)
        except TooManyProblems:
            more = Problem("", 0, "", "there may be more problems: mend these first")
            raise ConfigError([*self._in_order(self._report.errors), more]) from None
        if self._report.errors:
            raise ConfigError(self._in_order(self._report.errors))
        return found

    def _resolved(self, path: str) -> Config:
        """The configuration as far as it is right."""
        for source in self._sources.files:
            self._take_apart(source)
        self._join_programs()
        settings = self._settings()
        groups = self._groups(settings)
        sections = self._sections()
        self._report.refuse_unknown_keys(strict=settings.strict)
        return Config(
            path=os.path.abspath(path),
            supervisor=settings,
            groups=groups,
            files=tuple(source.path for source in self._sources.files),
            sections=sections,
            warnings=tuple(self._in_order(self._report.warnings)),
        )

    def _in_order(self, problems: Sequence[Problem]) -> list[Problem]:
        """As a person goes through the files: one after the other, from top to bottom."""
        order = {source.path: number for number, source in enumerate(self._sources.files)}
        order[""] = len(order)
        return sorted(problems, key=lambda problem: (order.get(problem.file, -1), problem.line))

    def _take_apart(self, source: Source) -> None:
        is_main = source is self._sources.files[0]
        for name, value in source.table.items():
            if name == "include":
                continue
            if name in MAIN_ONLY and not is_main:
                self._report.error(source, (name,), "belongs into the main file, not into an included one")
            elif name in self._named or (name in self._tables and self._tables[name].many):
                self._take_named(source, name, value)
            elif name == "supervisor" or name in self._tables:
                self._take_single(source, name, value)
            elif remark := accepted(name, self._out_of_service):
                self._report.warning(source, (name,), remark)
            else:
                self._unknown_table(source, name)

    def _take_named(self, source: Source, table: str, value: Any) -> None:
        if not is_table(value):
            self._report.error(source, (table,), "is no table")
            return
        named = self._named.setdefault(table, {})
        for name, raw in value.items():
            place = (table, name)
            if not is_table(raw):
                self._report.error(source, place, "is no table")
            elif name in named:
                first = named[name].source.problem(place, "")
                self._report.error(source, place, f"is there already, in {first.file}:{first.line}")
            else:
                try:
                    check_name(name)
                except ValueError as error:
                    self._report.error(source, place, str(error))
                named[name] = _Named(table, source, raw)

    def _join_programs(self) -> None:
        """All programs by name, whatever table they stand in."""
        for table in PROGRAM_TABLES:
            for name, named in self._named[table].items():
                if name in self._programs:
                    other = self._programs[name].table
                    self._report.error(named.source, (table, name), f"there is [{other}.{name}] as well")
                self._programs[name] = named

    def _take_single(self, source: Source, name: str, value: Any) -> None:
        if name in self._single:
            self._report.error(source, (name,), f"is there already, in {self._single[name][0].path}")
        elif not is_table(value):
            self._report.error(source, (name,), "is no table")
        else:
            self._single[name] = (source, value)

    def _unknown_table(self, source: Source, name: str) -> None:
        hint = install_hint(name)
        if hint:
            self._report.unknown(source, (name,), hint)
        else:
            known = [*self._named, *self._tables, "supervisor", "include", *PLUGIN_TABLES]
            self._report.unknown(source, (name,), "is no table of the configuration", known)

    def _settings(self) -> SupervisorSettings:
        of_plugins = [key for section in self._in_supervisor for key in section.model.model_fields]
        self._refuse_missing_plugins(of_plugins)
        settings = self._one("supervisor", SupervisorSettings, without=(*of_plugins, *PLUGIN_KEYS))
        return settings or SupervisorSettings()

    def _refuse_missing_plugins(self, known: Sequence[str]) -> None:
        """A key that asks for protection must not go unheard because its plugin is not there."""
        if "supervisor" not in self._single:
            return
        source, raw = self._single["supervisor"]
        for key, extra in PLUGIN_KEYS.items():
            if key in raw and key not in known:
                self._report.error(source, ("supervisor", key), install_line(extra))

    def _one(self, name: str, model: type[ModelT], *, without: Sequence[str] = ()) -> ModelT | None:
        """A single table, ``without`` the keys that belong to somebody else."""
        if name not in self._single:
            return None
        source, raw = self._single[name]
        raw = {key: value for key, value in raw.items() if key not in without}
        expanded = expand_table(raw, (name,), self._names(source), self._environ, source, self._report)
        return validate(model, expanded, (name,), source, self._report)

    def _keys_in_supervisor(self, model: type[BaseModel]) -> BaseModel | None:
        """The keys in ``[supervisor]`` that a plugin owns."""
        if "supervisor" not in self._single:
            return self._default(model)
        source, raw = self._single["supervisor"]
        found = {key: value for key, value in raw.items() if key in model.model_fields}
        place = ("supervisor",)
        expanded = expand_table(found, place, self._names(source), self._environ, source, self._report)
        return validate(model, expanded, place, source, self._report) or self._default(model)

    def _names(self, source: Source) -> dict[str, str | int]:
        return {"here": source.directory, "host_node_name": platform.node()}

    def _groups(self, settings: SupervisorSettings) -> dict[str, GroupDefinition]:
        models = self._group_models()
        group_of = self._group_of_programs(models)
        base = os.path.join(self._working_directory, settings.directory)
        reader = ProgramReader(
            settings, self._environ, self._program_keys, self._health_kinds, base, self._report
        )
        processes: dict[str, list[ProcessDefinition]] = {}
        priorities: dict[str, int] = {name: model.priority for name, model in models.items()}
        places = {
            name: Place(named.source, (named.table, name), PROGRAM_TABLES[named.table])
            for name, named in self._programs.items()
        }
        for name, named in sorted(self._programs.items()):
            group = group_of.get(name, name)
            found = reader.read(places[name], name, group, named.raw)
            processes.setdefault(group, []).extend(found)
            if group not in models:
                priorities[group] = _priority(named, found)
        groups = {
            name: GroupDefinition(name, priorities[name], tuple(members))
            for name, members in sorted(processes.items())
        }
        checks.check_processes(groups, places, settings, self._report)
        return groups

    def _group_models(self) -> dict[str, GroupModel]:
        models: dict[str, GroupModel] = {}
        for name, named in self._named["groups"].items():
            place = ("groups", name)
            source = named.source
            expanded = expand_table(
                named.raw, place, self._names(source), self._environ, source, self._report
            )
            model = validate(GroupModel, expanded, place, source, self._report)
            if model is not None:
                models[name] = model
        return models

    def _group_of_programs(self, models: Mapping[str, GroupModel]) -> dict[str, str]:
        group_of: dict[str, str] = {}
        for name, model in models.items():
            source = self._named["groups"][name].source
            place = ("groups", name, "programs")
            for program in model.programs:
                if program not in self._programs:
                    hint = self._report.nearest(program, self._programs)
                    self._report.error(source, place, f"there is no program {program!r}{hint}")
                elif self._programs[program].table == "eventlisteners":
                    self._report.error(
                        source, place, f"{program!r} is a pool of listeners, and so a group itself"
                    )
                elif program in group_of:
                    self._report.error(
                        source, place, f"{program!r} is in group {group_of[program]!r} already"
                    )
                else:
                    group_of[program] = name
            if name in self._programs and name not in model.programs:
                self._report.error(
                    source, ("groups", name), f"there is a program {name!r} that is not in this group"
                )
        return group_of

    def _sections(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, section in self._tables.items():
            if section.many:
                found[name] = self._many(name, section.model)
            else:
                there = name in self._single
                found[name] = self._one(name, section.model) if there else self._default(section.model)
        for section in self._in_supervisor:
            found[section.name] = self._keys_in_supervisor(section.model)
        return found

    def _many(self, table: str, model: type[BaseModel]) -> dict[str, BaseModel]:
        found: dict[str, BaseModel] = {}
        for name, named in self._named.get(table, {}).items():
            place = (table, name)
            source = named.source
            expanded = expand_table(
                named.raw, place, self._names(source), self._environ, source, self._report
            )
            validated = validate(model, expanded, place, source, self._report)
            if validated is not None:
                found[name] = validated
        return found

    def _default(self, model: type[BaseModel]) -> BaseModel | None:
        """What a table says that is not there; None when it would have to say something."""
        try:
            return model()
        except ValidationError:
            return None
        except Exception as error:
            if self._report.on_failure is None:
                raise
            self._report.on_failure(model, error)
            return None


def _is_free(section: ConfigSection, report: Report) -> bool:
    """Whether a key that a plugin adds to programs is none of core's; the plugin fails if it is."""
    if not any(section.name in model.model_fields for model in PROGRAM_TABLES.values()):
        return True
    if report.on_failure is not None:
        report.on_failure(section.model, ValueError(f"{section.name!r} is a key of core"))
    return False


def _priority(named: _Named, processes: Sequence[ProcessDefinition]) -> int:
    """Priority of the group that a program is by itself."""
    if named.table == "eventlisteners" and "priority" not in named.raw:
        return DEFAULT_PRIORITY
    return processes[0].priority if processes else ProgramModel.model_fields["priority"].default
