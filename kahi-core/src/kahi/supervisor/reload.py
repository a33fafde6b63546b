"""Applying a changed configuration without disturbing what did not change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from kahi.config.config import Config
from kahi.config.difference import ConfigDiff, diff, pending_settings
from kahi.definition import GroupDefinition
from kahi.errors import ConfigError, GroupsBelongTogether, NoSuchGroup, Problem
from kahi.events import ConfigEvent
from kahi.lifecycle import SETTLED, State
from kahi.process import Process
from kahi.supervisor.group import Group
from kahi.supervisor.plan import Plan, plan
from kahi.supervisor.roster import Roster
from kahi.supervisor.stopping import Stopping

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

    def __init__(
        self, supervisor: Supervisor, roster: Roster, stopping: Stopping, load: Callable[[], Config]
    ) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._stopping = stopping
        self._load = load
        self.lock = anyio.Lock()
        """Held while the set of groups changes."""
        self.reloads = 0
        self.failures = 0

    async def preview(self) -> ReloadReport:
        """Report what `apply` would do. Raises ConfigError."""
        new = await anyio.to_thread.run_sync(self._load)
        current = self._current()
        return _report(diff(current, new), current, new, self._roster.groups)

    async def apply(self, only: Sequence[str] | None = None) -> ReloadReport:
        """Read and apply, or only what concerns the groups named.

        Raises:
            ConfigError: the configuration can not be used; nothing changed.
            NoSuchGroup, GroupsBelongTogether: of ``only``; nothing changed.
            ShuttingDown: nothing changes any more.
        """
        supervisor = self._supervisor
        async with self.lock:
            supervisor.refuse_during_shutdown()
            with supervisor.while_reloading():
                return await self._apply(only)

    async def _apply(self, only: Sequence[str] | None) -> ReloadReport:
        supervisor = self._supervisor
        try:
            new = await anyio.to_thread.run_sync(self._load)
        except ConfigError as error:
            self.failures += 1
            supervisor.events.publish(ConfigEvent(error=str(error)))
            raise
        supervisor.refuse_during_shutdown()
        old, current = supervisor.config, self._current()
        if only is not None:
            new = _limited(current, new, frozenset(only))
        changes, active = diff(current, new), frozenset(self._roster.groups)
        supervisor.config = new
        await self._carry_out(self._plan(changes))
        self.reloads += 1
        report = _report(changes, old, new, active)
        for problem in pending_settings(old, new):
            log.warning("%s", problem)
        if supervisor.on_reloaded is not None:
            supervisor.on_reloaded(old, new)
        log.info("%s", report)
        supervisor.events.publish(
            ConfigEvent(added=report.added, changed=report.changed, removed=report.removed)
        )
        return report

    def _current(self) -> Config:
        """The configuration in force with the groups and processes that there are: what an earlier
        reload could not bring to its end is seen by the next one."""
        config = self._supervisor.config
        groups = dict(config.groups)
        for name, group in self._roster.groups.items():
            processes = tuple(process.definition for process in group.processes)
            groups[name] = GroupDefinition(name, group.priority, processes)
        return config.with_groups(dict(sorted(groups.items())))

    def _plan(self, changes: ConfigDiff) -> Plan:
        processes = self._roster.processes.values()
        return plan(
            changes,
            self._roster.groups,
            {p.name for p in processes if self._is_wanted(p)},
            {p.name for p in processes if p.state in (State.EXITED, State.FATAL)},
        )

    def _is_wanted(self, process: Process) -> bool:
        """Whether ``process`` is up, or comes up again without anybody's doing."""
        if process.waits_for:
            return True
        if process.state is State.STOPPING:
            return self._stopping.is_to_return(process.name)
        is_on_its_way = process.state in (State.STARTING, State.RUNNING, State.BACKOFF)
        return is_on_its_way or process.record.deadline is not None

    async def _carry_out(self, plan: Plan) -> None:
        supervisor, roster = self._supervisor, self._roster
        leaving = frozenset(plan.stopped)
        up = [roster.process(name) for name in plan.stopped]
        while up:
            await self._stopping.stop(up, returning=object())
            # Somebody may have started one again, as it was, while others were still going down.
            up = [each for each in up if _comes_or_stays(each) and not each.record.unkillable]
        returning = {name for name in leaving if self._stopping.is_to_return(name)}
        for name in plan.discarded_groups:
            group = roster.group(name)
            self._discard(group, leaving)
            if not group.processes:
                roster.discard(group)
        for definition in plan.changed:
            self._discard(roster.group(definition.name), plan.discarded)
        for definition in plan.redefined:
            roster.redefine_process(roster.process(definition.name), definition)
        for definition in plan.changed:
            roster.redefine(roster.group(definition.name), definition)
        present = frozenset(roster.groups)
        for definition in plan.added:
            if definition.name not in present:
                roster.add(definition)
        supervisor.reconsider()
        if supervisor.shutting_down:
            return
        wanted = plan.started - (leaving - returning)
        starting = [process for name, process in roster.processes.items() if name in wanted]
        await supervisor.start(starting, wait=False, on_request=False)

    def _discard(self, group: Group, names: Collection[str]) -> None:
        """Forget those processes of a group that are named, and are down."""
        leaving = [process for process in group.processes if process.name in names]
        for process in leaving:
            if process.state in SETTLED:
                self._roster.discard_process(group, process)
            else:
                log.error("%s: stays, pid %d outlives SIGKILL", process.name, process.pid)


def _comes_or_stays(process: Process) -> bool:
    """Whether there is a child, or will be one without anybody's doing."""
    return process.state not in SETTLED or process.record.deadline is not None


def _limited(old: Config, new: Config, only: frozenset[str]) -> Config:
    """``old`` with the groups of ``only`` as ``new`` has them."""
    for name in sorted(only):
        if name not in old.groups and name not in new.groups:
            raise NoSuchGroup(name)
    groups = {name: group for name, group in old.groups.items() if name not in only}
    kept = {process.name: name for name, group in groups.items() for process in group.processes}
    for name in sorted(only & new.groups.keys()):
        for process in new.groups[name].processes:
            if process.name in kept:
                raise GroupsBelongTogether(process.name, kept[process.name], name)
        groups[name] = new.groups[name]
    return old.with_groups(dict(sorted(groups.items())))


def _report(changes: ConfigDiff, old: Config, new: Config, active: Container[str]) -> ReloadReport:
    """What ``changes`` come to; a group that an operator has removed changes for nobody to see."""
    changed = [change for change in changes.changed if change.definition.name in active]
    return ReloadReport(
        added=tuple(group.name for group in changes.added),
        changed=tuple(change.definition.name for change in changed),
        removed=tuple(group.name for group in changes.removed),
        restarted={name: keys for change in changed for name, keys in change.restarted.items()},
        warnings=(*new.warnings, *pending_settings(old, new)),
    )
