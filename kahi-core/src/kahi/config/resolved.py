"""A configuration as plain data for people and clients, without anything secret."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from kahi.config.config import Config
from kahi.config.toml import is_list, is_table
from kahi.definition import UNLIMITED, HealthSettings, ProcessDefinition, StreamSettings

MASK: Final = "********"
_NAMED: Final = frozenset(signal.Signals)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@]*@")


def resolved(config: Config) -> dict[str, Any]:
    """Everything that is in force, with every default and name expanded.

    Values of environment variables, secrets of plugins' tables and credentials in URLs are masked.
    """
    supervisor = config.supervisor.model_dump(mode="json")
    supervisor["environment"] = _masked_values(config.supervisor.environment)
    tables: dict[str, Any] = {
        "files": list(config.files),
        "supervisor": supervisor,
        "groups": [
            {
                "name": group.name,
                "priority": group.priority,
                "processes": [_process(process) for process in group.processes],
            }
            for group in config.groups.values()
        ],
    }
    for name, section in config.sections.items():
        tables[name] = _section(section)
    return without_credentials(tables)


def without_credentials(value: Any) -> Any:
    """``value`` with user names and passwords masked in every URL in it."""
    if isinstance(value, str):
        return _CREDENTIALS.sub(f"{MASK}@", value) if "@" in value else value
    if is_list(value):
        return [without_credentials(item) for item in value]
    if is_table(value):
        return {key: without_credentials(item) for key, item in value.items()}
    return value


def _process(definition: ProcessDefinition) -> dict[str, Any]:
    """One process with the keys of the configuration."""
    spawn, start, stop = definition.spawn, definition.start, definition.stop
    found: dict[str, Any] = {
        "name": definition.name,
        "program": definition.program,
        "command": list(spawn.command),
        "description": definition.description,
        "priority": definition.priority,
        "autostart": definition.autostart,
        "autorestart": start.autorestart,
        "startsecs": start.startsecs,
        "startretries": start.startretries,
        "exitcodes": sorted(start.exitcodes),
        "oneshot": start.oneshot,
        "restart_delay": start.restart_delay,
        "backoff": {
            "initial": start.backoff.initial,
            "factor": start.backoff.factor,
            "max": start.backoff.maximum,
            "jitter": start.backoff.jitter,
        },
        "stopsignal": _signal_name(stop.signal),
        "stopwaitsecs": stop.wait,
        "stopasgroup": stop.as_group,
        "killasgroup": stop.kill_as_group,
        "user": spawn.user,
        "directory": spawn.directory,
        "umask": None if spawn.umask is None else f"{spawn.umask:03o}",
        "nice": spawn.nice,
        "oom_score_adj": spawn.oom_score_adj,
        "no_new_privs": spawn.no_new_privs,
        "rlimits": {limit.name: f"{_bound(limit.soft)}:{_bound(limit.hard)}" for limit in spawn.rlimits},
        "stdin": spawn.stdin,
        "stdin_eof": definition.stdin_eof,
        "redirect_stderr": spawn.redirect_stderr,
        "clean_environment": spawn.clean_environment,
        "inherit_environment": spawn.inherit_environment,
        "environment": _masked_values(dict(spawn.environment)),
        "depends_on": dict(definition.depends_on),
        "critical": definition.critical,
        "max_memory": definition.max_memory,
    }
    found |= _stream("stdout", definition.stdout)
    if definition.stderr is not None:
        found |= _stream("stderr", definition.stderr)
    if definition.socket is not None:
        found["socket"] = definition.socket.url
    if definition.listener is not None:
        found |= {"events": list(definition.listener.events), "buffer_size": definition.listener.buffer_size}
    if definition.health is not None:
        found["health"] = _health(definition.health)
    found |= {key: _section(value) for key, value in definition.extensions.items()}
    return found


def _health(health: HealthSettings) -> dict[str, Any]:
    found: dict[str, Any] = {health.kind: list(health.target) if health.kind == "exec" else health.target}
    if health.expect:
        found["expect"] = health.expect
    action = health.on_failure
    return found | {
        "interval": health.interval,
        "timeout": health.timeout,
        "retries": health.retries,
        "start_period": health.start_period,
        "on_failure": action if isinstance(action, str) else f"signal:{_signal_name(action)}",
    }


def _signal_name(number: int) -> str | int:
    return signal.Signals(number).name if number in _NAMED else number


def _stream(name: str, settings: StreamSettings) -> dict[str, Any]:
    return {
        f"{name}_logfile": settings.logfile,
        f"{name}_logfile_maxbytes": settings.maxbytes,
        f"{name}_logfile_backups": settings.backups,
        f"{name}_buffer_maxbytes": settings.buffer_maxbytes,
        f"{name}_capture_maxbytes": settings.capture_maxbytes,
        f"{name}_events_enabled": settings.events_enabled,
        f"{name}_syslog": settings.syslog,
        "strip_ansi": settings.strip_ansi,
    }


def _bound(value: int) -> str:
    return "unlimited" if value == UNLIMITED else str(value)


def _section(section: Any) -> Any:
    if isinstance(section, BaseModel):
        # Fields of type SecretStr mask themselves.
        return section.model_dump(mode="json")
    if is_table(section):
        return {key: _section(value) for key, value in section.items()}
    return section


def _masked_values(variables: Mapping[str, str]) -> dict[str, str]:
    return dict.fromkeys(variables, MASK)
