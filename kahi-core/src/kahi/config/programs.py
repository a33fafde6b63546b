"""From the table of a program to the definitions of its processes."""

from __future__ import annotations

import os
import platform
import re
import shlex
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from kahi.config import bounds
from kahi.config.dotenv import DotenvError, parse_dotenv
from kahi.config.files import read_text
from kahi.config.health import HealthKinds, read_health
from kahi.config.listener import impossible_keys
from kahi.config.models import (
    EventListenerModel,
    FcgiProgramModel,
    ProgramModel,
    SupervisorSettings,
)
from kahi.config.place import Place
from kahi.config.report import Report
from kahi.config.toml import is_list, is_table
from kahi.config.validation import expand_table, validate
from kahi.config.values import check_name
from kahi.definition import (
    Backoff,
    HealthSettings,
    ListenerSettings,
    ProcessDefinition,
    ResourceLimit,
    SocketSettings,
    SpawnSpec,
    StartPolicy,
    StopPolicy,
    StreamSettings,
)
from kahi.errors import ConfigError

_QUOTING = re.compile(r"['\"\\]")
_WORD = re.compile(r"[^ \t\r\n]+")

ValueT = TypeVar("ValueT", bound=Hashable)

SPECIAL_LOGS = frozenset({"", "AUTO", "/dev/stdout", "/dev/stderr", "/dev/null"})
"""Log destinations that are not files of their own."""


class ProgramReader:
    """Makes process definitions. Equal parts of them are one object, however many programs there are.

    Args:
        environ: what ``${NAME}`` refers to.
        plugin_keys: models of the keys that plugins added to programs.
        health_kinds: kinds of health checks that plugins added.
        base: the directory in which relative paths begin.
    """

    def __init__(
        self,
        settings: SupervisorSettings,
        environ: Mapping[str, str],
        plugin_keys: Mapping[str, type[BaseModel]],
        health_kinds: HealthKinds,
        base: str,
        report: Report,
    ) -> None:
        self._settings = settings
        self._environ = {**environ, **settings.environment}
        self._plugin_keys = plugin_keys
        self._health_kinds = health_kinds
        self._report = report
        self._shared: dict[Hashable, Hashable] = {}
        self._variables: dict[str, dict[str, str]] = {}
        self._base = base
        self._processes_left = bounds.MAX_PROCESSES_ALTOGETHER
        self._characters_left = bounds.MAX_EXPANDED

    def read(self, place: Place, name: str, group: str, raw: dict[str, Any]) -> list[ProcessDefinition]:
        """The processes of one program, none when it is wrong (the report says why)."""
        count, first = raw.get("numprocs", 1), raw.get("numprocs_start", 0)
        count = count if type(count) is int and 0 <= count <= bounds.MAX_PROCESSES else 1
        first = first if type(first) is int and first >= 0 else 0
        if not self._names_are_possible(place, raw, count) or not self._has_room(place, count):
            return []
        definitions: list[ProcessDefinition] = []
        model: ProgramModel | None = None
        expanded = raw
        varies = _mentions_number(raw)
        errors_before = len(self._report.errors)
        for number in range(first, first + count):
            if model is None or varies:
                expanded = self._expanded(place, name, group, raw, number, count)
                self._characters_left -= _characters(expanded)
                if self._characters_left < 0:
                    place.error(
                        self._report,
                        "",
                        f"expands, with others, to more than {bounds.MAX_EXPANDED} characters",
                    )
                    return []
                model = self._model(place, expanded)
                if model is None or len(self._report.errors) > errors_before:
                    return []
            definition = self._definition(place, name, group, model, number, count, expanded)
            if definition is None or len(self._report.errors) > errors_before:
                return []
            definitions.append(definition)
        return definitions

    def _has_room(self, place: Place, count: int) -> bool:
        if self._processes_left >= 0:
            self._processes_left -= count
            if self._processes_left < 0:
                message = f"makes more than {bounds.MAX_PROCESSES_ALTOGETHER} processes altogether"
                place.error(self._report, "numprocs", message)
        return self._processes_left >= 0

    def _names_are_possible(self, place: Place, raw: dict[str, Any], count: int) -> bool:
        pattern = raw.get("process_name", "")
        if count > 1 and pattern and isinstance(pattern, str) and "%(process_num)" not in pattern:
            place.error(self._report, "process_name", "must hold %(process_num)d when numprocs is above 1")
            return False
        return True

    def _expanded(
        self,
        place: Place,
        name: str,
        group: str,
        raw: dict[str, Any],
        number: int,
        count: int,
    ) -> dict[str, Any]:
        names: dict[str, str | int] = {
            "here": place.source.directory,
            "program_name": name,
            "group_name": group,
            "process_num": number,
            "numprocs": count,
            "host_node_name": platform.node(),
        }
        return expand_table(raw, place.path, names, self._environ, place.source, self._report)

    def _model(self, place: Place, expanded: dict[str, Any]) -> ProgramModel | None:
        also_known = (*self._plugin_keys, *(f"health.{kind}" for kind in self._health_kinds))
        model = validate(place.model, expanded, place.path, place.source, self._report, also_known)
        if isinstance(model, EventListenerModel):
            for key, why in impossible_keys(model):
                place.error(self._report, key, why)
            if not model.events:
                self._report.warning(place.source, (*place.path, "events"), "is empty: no event ever comes")
        return model

    def _definition(
        self,
        place: Place,
        name: str,
        group: str,
        model: ProgramModel,
        number: int,
        count: int,
        raw: dict[str, Any],
    ) -> ProcessDefinition | None:
        process_name = model.process_name or (name if count == 1 else f"{name}_{number}")
        try:
            if model.process_name:
                check_name(process_name)
        except ValueError as error:
            place.error(self._report, "process_name", str(error))
            return None
        spawn = self._spawn(place, model)
        stop = self._stop(place, model)
        if spawn is None or stop is None:
            return None
        return ProcessDefinition(
            name=process_name,
            program=name,
            group=group,
            number=number,
            spawn=spawn,
            priority=model.priority,
            autostart=model.autostart,
            start=self._share(_start_policy(model)),
            stop=self._share(stop),
            stdout=self._share(self._stream(model, "stdout")),
            stderr=None if model.redirect_stderr else self._share(self._stream(model, "stderr")),
            description=model.description,
            depends_on=tuple(sorted(model.depends_on.items())),
            critical=model.critical,
            max_memory=model.max_memory,
            stdin_eof=model.stdin_eof,
            socket=_socket(model),
            listener=_listener(model),
            health=self._health(place, model, raw),
            extensions=self._extensions(place, raw),
        )

    def _spawn(self, place: Place, model: ProgramModel) -> SpawnSpec | None:
        try:
            words = _words(model.command) if isinstance(model.command, str) else model.command
        except ValueError as error:
            place.error(self._report, "command", f"cannot be split into words: {error}")
            return None
        if not words or not words[0]:
            place.error(self._report, "command", "is empty")
            return None
        environment = self._environment(place, model)
        if environment is None:
            return None
        limits = (ResourceLimit(name, soft, hard) for name, (soft, hard) in sorted(model.rlimits.items()))
        return SpawnSpec(
            command=tuple(words),
            directory=self._absolute(model.directory) if model.directory else "",
            environment=self._share(environment),
            clean_environment=model.clean_environment,
            inherit_environment=model.inherit_environment,
            user=model.user,
            umask=model.umask,
            nice=model.nice,
            oom_score_adj=model.oom_score_adj,
            no_new_privs=model.no_new_privs,
            rlimits=tuple(limits),
            stdin=model.stdin,
            redirect_stderr=model.redirect_stderr,
        )

    def _environment(self, place: Place, model: ProgramModel) -> tuple[tuple[str, str], ...] | None:
        merged = dict(self._settings.environment)
        for name in model.environment_file:
            try:
                merged |= self._variables_of(name, place.source.directory)
            except (ConfigError, DotenvError) as error:
                reason = error.problems[0].message if isinstance(error, ConfigError) else str(error)
                place.error(self._report, "environment_file", f"{name.removeprefix('-')}: {reason}")
                return None
        merged |= model.environment
        for key, value in merged.items():
            if not key or "=" in key or "\0" in key or "\0" in value:
                place.error(self._report, "environment", f"{key!r} can be no variable")
                return None
        return tuple(merged.items())

    def _variables_of(self, name: str, directory: str) -> dict[str, str]:
        may_be_missing = name.startswith("-")
        path = os.path.join(directory, name[1:] if may_be_missing else name)
        if path not in self._variables:
            if may_be_missing and not os.path.lexists(path):
                return {}
            self._variables[path] = parse_dotenv(read_text(path))
        return self._variables[path]

    def _stop(self, place: Place, model: ProgramModel) -> StopPolicy | None:
        if model.stopasgroup and model.killasgroup is False:
            place.error(
                self._report, "killasgroup", "cannot be false when stopasgroup is true: it is implied"
            )
            return None
        return StopPolicy(
            signal=model.stopsignal,
            wait=model.stopwaitsecs,
            as_group=model.stopasgroup,
            kill_as_group=model.stopasgroup or bool(model.killasgroup),
        )

    def _stream(self, model: ProgramModel, stream: str) -> StreamSettings:
        logfile: str = getattr(model, f"{stream}_logfile")
        if stream == "stdout" and isinstance(model, EventListenerModel):
            return StreamSettings(logfile=os.devnull, buffer_maxbytes=model.stdout_buffer_maxbytes)
        return StreamSettings(
            logfile=logfile if logfile in SPECIAL_LOGS else self._absolute(logfile),
            maxbytes=getattr(model, f"{stream}_logfile_maxbytes"),
            backups=getattr(model, f"{stream}_logfile_backups"),
            buffer_maxbytes=getattr(model, f"{stream}_buffer_maxbytes"),
            capture_maxbytes=getattr(model, f"{stream}_capture_maxbytes"),
            events_enabled=getattr(model, f"{stream}_events_enabled"),
            syslog=getattr(model, f"{stream}_syslog"),
            strip_ansi=model.strip_ansi,
        )

    def _health(self, place: Place, model: ProgramModel, raw: dict[str, Any]) -> HealthSettings | None:
        if "health" not in raw:
            return None
        return read_health(place, model.health, raw["health"], self._health_kinds, self._report)

    def _extensions(self, place: Place, raw: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, model in self._plugin_keys.items():
            if key not in raw:
                continue
            if is_table(raw[key]):
                found[key] = validate(model, raw[key], (*place.path, key), place.source, self._report)
            else:
                place.error(self._report, key, "is no table")
        return found

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._base, path))

    def _share(self, value: ValueT) -> ValueT:
        """The first value seen that equals ``value``."""
        return self._shared.setdefault((type(value), value), value)  # type: ignore[return-value]


def _socket(model: ProgramModel) -> SocketSettings | None:
    if not isinstance(model, FcgiProgramModel):
        return None
    mode = 0o700 if model.socket_mode is None else model.socket_mode
    return SocketSettings(model.socket, model.socket_owner, mode, model.socket_backlog)


def _listener(model: ProgramModel) -> ListenerSettings | None:
    if not isinstance(model, EventListenerModel):
        return None
    return ListenerSettings(model.events, model.buffer_size)


def _start_policy(model: ProgramModel) -> StartPolicy:
    return StartPolicy(
        startsecs=model.startsecs,
        startretries=model.startretries,
        autorestart=model.autorestart,
        exitcodes=frozenset(model.exitcodes),
        oneshot=model.oneshot,
        restart_delay=model.restart_delay,
        backoff=Backoff(model.backoff.initial, model.backoff.factor, model.backoff.max, model.backoff.jitter),
    )


def _words(command: str) -> list[str]:
    """What a shell makes of a command; shlex is slow, and mostly there is nothing to it.

    Raises:
        ValueError: a quotation is not closed, or nothing follows an escape.
    """
    return shlex.split(command) if _QUOTING.search(command) else _WORD.findall(command)


def _characters(value: Any) -> int:
    """How much text there is in a table."""
    if isinstance(value, str):
        return len(value)
    if is_list(value):
        return sum(map(_characters, value))
    if is_table(value):
        return sum(map(_characters, value.values()))
    return 0


def _mentions_number(raw: Any) -> bool:
    if isinstance(raw, str):
        return "%(process_num)" in raw
    if is_list(raw):
        return any(_mentions_number(item) for item in raw)
    if is_table(raw):
        return any(_mentions_number(item) for item in raw.values())
    return False
