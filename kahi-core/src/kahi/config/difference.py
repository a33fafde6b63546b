"""What differs between two configurations, and what that means for running processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kahi.config.config import Config
from kahi.definition import GroupDefinition, HealthSettings, ProcessDefinition, StreamSettings
from kahi.errors import Problem

LIVE_STREAM_KEYS: Final = frozenset({"maxbytes", "backups", "buffer_maxbytes"})
"""Stream settings that a running process takes over."""

RESTART_PARTS: Final = ("spawn", "socket")
"""Parts of a definition that are fixed once a process runs."""


@dataclass(frozen=True, slots=True)
class GroupChange:
    """How a group that stays is changed: process names, with the keys that differ."""

    definition: GroupDefinition
    added: frozenset[str]
    removed: frozenset[str]
    restarted: Mapping[str, tuple[str, ...]]
    live: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """What leads from one configuration to another, in name order."""

    added: tuple[GroupDefinition, ...] = ()
    removed: tuple[GroupDefinition, ...] = ()
    changed: tuple[GroupChange, ...] = ()


def diff(old: Config, new: Config) -> ConfigDiff:
    """Compare resolved definitions; a process that is defined as before appears nowhere."""
    return ConfigDiff(
        added=tuple(group for name, group in new.groups.items() if name not in old.groups),
        removed=tuple(group for name, group in old.groups.items() if name not in new.groups),
        changed=tuple(
            _group_change(old.groups[name], group)
            for name, group in new.groups.items()
            if name in old.groups and old.groups[name] != group
        ),
    )


def _group_change(old: GroupDefinition, new: GroupDefinition) -> GroupChange:
    before = {process.name: process for process in old.processes}
    after = {process.name: process for process in new.processes}
    restarted: dict[str, tuple[str, ...]] = {}
    live: dict[str, tuple[str, ...]] = {}
    for name, process in after.items():
        if name in before and before[name] != process:
            fixed, changeable = _changed_keys(before[name], process)
            if fixed:
                restarted[name] = fixed + changeable
            else:
                live[name] = changeable
    return GroupChange(
        new, frozenset(after.keys() - before.keys()), frozenset(before.keys() - after.keys()), restarted, live
    )


def _changed_keys(old: ProcessDefinition, new: ProcessDefinition) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the keys that differ: those that need a restart, and those that do not."""
    fixed: list[str] = []
    live: list[str] = []
    for field in dataclasses.fields(ProcessDefinition):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after:
            continue
        if field.name in ("stdout", "stderr"):
            for key in _parts(before, after):
                (live if key in LIVE_STREAM_KEYS else fixed).append(f"{field.name}_{_stream_key(key)}")
        elif field.name in RESTART_PARTS:
            fixed += _parts(before, after)
        elif field.name == "listener" and (before is None or after is None):
            fixed.append(field.name)
        elif field.name == "health" and _is_notify(after) and not _is_notify(before):
            # Where to tell it stands in the environment of the process.
            fixed.append(field.name)
        elif field.name in ("start", "stop"):
            live += _parts(before, after)
        else:
            live.append(field.name)
    return tuple(fixed), tuple(live)


def _is_notify(health: HealthSettings | None) -> bool:
    return health is not None and health.kind == "notify"


def _parts(before: Any, after: Any) -> list[str]:
    if before is None or after is None:
        return ["logfile" if isinstance(before or after, StreamSettings) else "settings"]
    fields = dataclasses.fields(before)
    return [f.name for f in fields if getattr(before, f.name) != getattr(after, f.name)]


def _stream_key(key: str) -> str:
    return f"logfile_{key}" if key in ("maxbytes", "backups") else key


LIVE_SETTINGS: Final = frozenset({"log_level", "shutdown_timeout", "exit_when", "strict", "environment"})
"""Keys of ``[supervisor]`` that a running daemon takes over."""


def pending_settings(old: Config, new: Config) -> list[Problem]:
    """Keys of ``[supervisor]`` that differ but count from the next start of the daemon only."""
    return [
        Problem(new.path, 0, f"[supervisor] {key}", "counts from the next start of the daemon")
        for key in type(new.supervisor).model_fields
        if key not in LIVE_SETTINGS and getattr(old.supervisor, key) != getattr(new.supervisor, key)
    ]
