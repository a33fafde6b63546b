"""Applying a changed configuration without disturbing what did not change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from kahi.config.config import Config
from kahi.config.difference import ConfigDiff, GroupChange, diff
from kahi.errors import ConfigError, Problem
from kahi.events import ConfigEvent
from kahi.lifecycle import SETTLED, State

if TYPE_CHECKING:
    from kahi.supervisor.supervisor import Supervisor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What a reload does, or did.

    Args:
        added, changed, removed: names of groups.
        restarted: processes that are restarted, each with the keys that made it necessary.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    warnings: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.changed or self.removed)

    def __str__(self) -> str:
        parts = [
            f"{word} {', '.join(names)}"
            for word, names in (("added", self.added), ("changed", self.changed), ("removed", self.removed))
            if names
        ]
        parts += [f"restarted {name} ({', '.join(keys)})" for name, keys in self.restarted.items()]
        return "reloaded: " + ("; ".join(parts) or "nothing changed")


class Reloader:
    """Reads the configuration again, one reload after the other."""

    def __init__(self, supervisor: Supervisor, load: Callable[[], Config]) -> None:
        self._supervisor = supervisor
        self._load = load
        self._lock = anyio.Lock()
        self.reloads = 0
        self.failures = 0

    async def preview(self) -> ReloadReport:
        """Report what `apply` would do. Raises ConfigError."""
        new = await anyio.to_thread.run_sync(self._load)
        return _report(diff(self._supervisor.config, new), new)

    async def apply(self, only: Sequence[str] | None = None) -> ReloadReport:
        """Read and apply, or only what concerns the groups named. Raises ConfigError, ShuttingDown."""
        supervisor = self._supervisor
        async with self._lock:
            supervisor.refuse_during_shutdown()
            try:
                new = await anyio.to_thread.run_sync(self._load)
            except ConfigError as error:
                self.failures += 1
                supervisor.events.publish(ConfigEvent(error=str(error)))
                raise
            supervisor.refuse_during_shutdown()
            old = supervisor.config
            changes = diff(old, new)
            if only is not None:
                new = _limited(old, new, frozenset(only))
                changes = diff(old, new)
            supervisor.config = new
            await self._carry_out(changes)
            self.reloads += 1
            report = _report(changes, new)
            if supervisor.on_reloaded is not None:
                supervisor.on_reloaded(old, new)
            log.info("%s", report)
            supervisor.events.publish(
                ConfigEvent(added=report.added, changed=report.changed, removed=report.removed)
            )
            return report

    async def _carry_out(self, changes: ConfigDiff) -> None:
        supervisor = self._supervisor
        for name in changes.removed:
            group = supervisor.groups.get(name)
            if group is not None:
                await supervisor.stop(list(group.processes))
                supervisor.discard(group)
        for change in changes.changed:
            await self._change(change)
        for definition in changes.added:
            if definition.name not in supervisor.groups and not supervisor.shutting_down:
                await supervisor.autostart(supervisor.add(definition).processes)

    async def _change(self, change: GroupChange) -> None:
        supervisor = self._supervisor
        group = supervisor.groups.get(change.definition.name)
        if group is None:
            return
        group.definition = change.definition
        gone = [p for p in group.processes if p.name in change.removed]
        restarted = [p for p in group.processes if p.name in change.restarted]
        was_up = {p.name for p in restarted if p.state not in SETTLED}
        ended = {p.name for p in restarted if p.state in (State.EXITED, State.FATAL) or p.waits_for}
        await supervisor.stop([*gone, *restarted])
        for process in gone:
            supervisor.discard_process(group, process)
        for definition in change.definition.processes:
            existing = supervisor.processes.get(definition.name)
            if existing is None:
                supervisor.add_process(group, definition)
            elif existing.definition != definition:
                supervisor.redefine(existing, definition)
        order = {d.name: index for index, d in enumerate(change.definition.processes)}
        group.processes.sort(key=lambda process: order[process.name])
        supervisor.sort_processes()
        if supervisor.shutting_down:
            return
        # What an operator stopped stays stopped; what an operator started comes back.
        wanted = [
            p
            for p in group.processes
            if p.name in was_up or (p.definition.autostart and p.name in change.added | ended)
        ]
        await supervisor.start(wanted, wait=False)


def _limited(old: Config, new: Config, only: frozenset[str]) -> Config:
    """``old`` with the groups of ``only`` as ``new`` has them."""
    groups = {name: group for name, group in old.groups.items() if name not in only}
    groups |= {name: group for name, group in new.groups.items() if name in only}
    return old.with_groups(dict(sorted(groups.items())))


def _report(changes: ConfigDiff, new: Config) -> ReloadReport:
    restarted = {name: keys for change in changes.changed for name, keys in change.restarted.items()}
    return ReloadReport(
        added=tuple(group.name for group in changes.added),
        changed=tuple(change.definition.name for change in changes.changed),
        removed=changes.removed,
        restarted=restarted,
        warnings=new.warnings,
    )
