"""The supervisor: every process of the configuration, and what can be done with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import anyio.lowlevel

from kahi.config.config import Config
from kahi.config.models import SupervisorSettings
from kahi.definition import Condition, GroupDefinition, ProcessDefinition
from kahi.errors import (
    AlreadyAdded,
    AlreadyStarted,
    KahiError,
    LogError,
    NoSuchGroup,
    NoSuchProcess,
    NotRunning,
    ProcessError,
    ShuttingDown,
    StillRunning,
)
from kahi.events import EventBus, ProcessGroupEvent
from kahi.lifecycle import SETTLED, State
from kahi.process import Host, Process
from kahi.supervisor.dependencies import Dependencies, is_met
from kahi.supervisor.ending import Ending
from kahi.supervisor.group import Group
from kahi.supervisor.memory import MemoryWatch
from kahi.supervisor.ordering import start_order, stop_waves, with_dependencies
from kahi.supervisor.outcome import Outcome, start_outcome, stop_outcome
from kahi.supervisor.recovery import Recovery
from kahi.supervisor.reload import Reloader, ReloadReport
from kahi.supervisor.selection import select
from kahi.supervisor.watchers import Watchers

if TYPE_CHECKING:
    from kahi.listeners import Listeners

log = logging.getLogger(__name__)

TURN: Final = 0.02
"""Seconds of starting processes after which the event loop gets a turn."""


class Supervisor:
    """All processes, and the operations on them. Belongs to the event-loop thread.

    Args:
        config: what to supervise.
        host: the daemon around the processes; the supervisor sets its ``on_change``.
        load_config: reads the configuration again, may block; raises ConfigError.
    """

    def __init__(self, config: Config, host: Host, load_config: Callable[[], Config]) -> None:
        self.config = config
        self.started_at = host.system.wall_clock()
        self._begin = host.system.monotonic()
        self._identifier = config.supervisor.identifier
        self._host = host
        self._groups: dict[str, Group] = {}
        self._processes: dict[str, Process] = {}
        self._dependencies = Dependencies(host.loop, self._named_by)
        self._reloader = Reloader(self, load_config)
        self._background: set[asyncio.Task[object]] = set()
        self._returning: dict[str, object] = {}
        """By process: who stopped it last, to start it again; None for a stop that is meant to last."""
        self.ending = Ending(self)
        self.on_reloaded: Callable[[Config, Config], None] | None = None
        """Told of the old and the new configuration after each reload."""
        self.while_reloading: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered for as long as a reload takes, one that is refused too."""
        self.recovery = Recovery(self, host.system)
        """Restarts processes that run but do not do their work."""
        self._memory = MemoryWatch(self, host.system, host.loop)
        self.listeners: Listeners | None = None
        """The pools of event listeners; None where there is no daemon around the supervisor."""
        self.watchers = Watchers()
        """Who is told about processes that come, change and go."""
        host.on_change = self._process_changed

    # What there is

    @property
    def settings(self) -> SupervisorSettings:
        """The ``[supervisor]`` table."""
        return self.config.supervisor

    @property
    def identifier(self) -> str:
        """The configured name of this daemon."""
        return self._identifier

    @property
    def events(self) -> EventBus:
        """The bus on which everything that happens is published."""
        return self._host.events

    @property
    def server_url(self) -> str:
        """Where the control socket is served, "" when it is not; children get it."""
        return self._host.server_url

    @server_url.setter
    def server_url(self, url: str) -> None:
        self._host.server_url = url

    @property
    def uptime(self) -> float:
        """Seconds since it was made."""
        return self._host.system.monotonic() - self._begin

    @property
    def reloads(self) -> int:
        """How often a changed configuration was taken over."""
        return self._reloader.reloads

    @property
    def refused_reloads(self) -> int:
        """How often a configuration could not be used."""
        return self._reloader.failures

    @property
    def shutting_down(self) -> bool:
        """Whether the daemon is on its way down."""
        return self.ending.begun

    @property
    def processes(self) -> Mapping[str, Process]:
        """All processes by name, in name order."""
        return MappingProxyType(self._processes)

    @property
    def groups(self) -> Mapping[str, Group]:
        """All active groups by name, in name order."""
        return MappingProxyType(self._groups)

    def process(self, name: str) -> Process:
        """The process called ``name``.

        Raises:
            NoSuchProcess: there is none.
        """
        try:
            return self._processes[name]
        except KeyError:
            raise NoSuchProcess(name) from None

    def group(self, name: str) -> Group:
        """The active group called ``name``.

        Raises:
            NoSuchGroup: there is none.
        """
        try:
            return self._groups[name]
        except KeyError:
            raise NoSuchGroup(name) from None

    def select(self, targets: Sequence[str]) -> list[Process]:
        """The processes that names and patterns stand for; see [kahi.supervisor.selection][].

        Raises:
            NoSuchProcess, NoSuchGroup: a name or pattern that nothing matches.
        """
        return select(targets, self._processes, self._groups)

    # Operations

    async def boot(self) -> None:
        """Add the groups of the configuration and start what starts by itself."""
        # Listeners first: a pool gets the events of every group that comes after it.
        for definition in sorted(self.config.groups.values(), key=lambda group: group.priority):
            self.add(definition)
        self.sort()
        if not self.shutting_down:
            await self.autostart(self._processes.values())

    async def autostart(self, processes: Iterable[Process]) -> None:
        """Start those of ``processes`` that start by themselves, without waiting for them."""
        await self.start([p for p in processes if p.definition.autostart], wait=False, on_request=False)

    async def start(
        self,
        processes: Sequence[Process],
        *,
        wait: bool = True,
        strict: bool = False,
        on_request: bool = True,
    ) -> list[Outcome]:
        """Start processes in priority order.

        Args:
            wait: until the first attempt of each is decided; otherwise answer with their states.
            strict: a process that is up already is an error, not skipped.
            on_request: what they depend on and is not there is started before them; otherwise they
                wait for it.

        Raises:
            ShuttingDown: nothing is started any more.
        """
        self.refuse_during_shutdown()
        errors: dict[str, KahiError] = {}
        pending: dict[str, asyncio.Future[None]] = {}
        turn_ends = self._host.system.monotonic() + TURN
        requested = {process.name for process in processes}
        for process in self._in_start_order(processes, with_needed=on_request):
            if self.shutting_down or self._processes.get(process.name) is not process:
                # That happened while others had their turn.
                errors[process.name] = ShuttingDown() if self.shutting_down else NoSuchProcess(process.name)
                continue
            if process.state in (State.STARTING, State.RUNNING):
                if strict and process.name in requested:
                    errors[process.name] = AlreadyStarted(process.name)
                continue
            if process.state in SETTLED:
                self.recovery.cancel(process)
            try:
                pending[process.name] = self._dependencies.start(process)
            except KahiError as error:
                errors[process.name] = error
            if self._host.system.monotonic() >= turn_ends:
                await anyio.lowlevel.checkpoint()
                turn_ends = self._host.system.monotonic() + TURN
        outcomes: list[Outcome] = []
        for process in processes:
            if process.name in errors:
                outcomes.append(Outcome(process.name, process.state, errors[process.name]))
            elif wait and process.name in pending:
                outcomes.append(await self._first_attempt(process, pending[process.name]))
            else:
                outcomes.append(Outcome(process.name, process.state))
        return outcomes

    async def stop(
        self, processes: Sequence[Process], *, wait: bool = True, strict: bool = False
    ) -> list[Outcome]:
        """Stop processes in falling priority, dependants first, each wave once the last is gone.

        Args:
            wait: until all are gone; otherwise go on in the background.
            strict: a process that does not run is an error, not skipped.
        """
        not_running = {p.name for p in processes if not self._can_stop(p)}
        running = [process for process in processes if process.name not in not_running]
        if wait:
            await self.stop_in_waves(running)
        else:
            self.run_in_background(self.stop_in_waves(running))
        return [stop_outcome(p, was_running=p.name not in not_running or not strict) for p in processes]

    async def restart(self, processes: Sequence[Process], *, wait: bool = True) -> list[Outcome]:
        """Stop processes, then start them; one that is not running is started.

        Raises:
            ShuttingDown: nothing is started any more.
        """
        self.refuse_during_shutdown()
        if not wait:
            self.run_in_background(self.restart(processes))
            return [Outcome(process.name, process.state) for process in processes]
        order = object()
        await self.stop_in_waves(processes, returning=order)
        ours = [process for process in processes if self.returns(process, order)]
        outcomes = {outcome.name: outcome for outcome in await self.start(ours)}
        return [outcomes.get(p.name) or self._overtaken_outcome(p) for p in processes]

    def signal(self, processes: Sequence[Process], signum: int, *, strict: bool = False) -> list[Outcome]:
        """Send a signal to processes that run; ``strict``: one that does not is an error."""
        outcomes: list[Outcome] = []
        for process in processes:
            error: KahiError | None = None
            try:
                process.send_signal(signum)
            except NotRunning as not_running:
                error = not_running if strict else None
            outcomes.append(Outcome(process.name, process.state, error))
        return outcomes

    async def clear_logs(self, processes: Sequence[Process]) -> list[Outcome]:
        """Empty the logs of processes, whether they run or not."""
        outcomes: list[Outcome] = []
        for process in processes:
            error: KahiError | None = None
            for stream in (process.stdout, process.stderr):
                try:
                    if stream is not None:
                        await stream.clear()
                except LogError as refused:
                    error = refused
            outcomes.append(Outcome(process.name, process.state, error))
        return outcomes

    async def reopen_logs(self) -> None:
        """Open all log files anew, as after somebody moved them.

        Raises:
            LogError: some can not be opened; they go on as they were.
        """
        problems = await self._host.reopen_logs()
        if problems:
            raise LogError("; ".join(problems))

    # Configuration

    async def reread(self) -> ReloadReport:
        """What `update` would do.

        Raises:
            ConfigError: the files can not be used.
        """
        return await self._reloader.preview()

    async def update(self, groups: Sequence[str] | None = None) -> ReloadReport:
        """Read the configuration and apply what changed, or only what concerns ``groups``.

        Raises:
            ConfigError: the files can not be used; everything goes on as it was.
            ShuttingDown: nothing changes any more.
        """
        return await self._reloader.apply(groups)

    async def add_group(self, name: str) -> None:
        """Make a group of the configuration active, and start what starts by itself.

        Raises:
            AlreadyAdded: it is active.
            NoSuchGroup: the configuration has no such group.
            ShuttingDown: nothing changes any more.
        """
        async with self._reloader.lock:
            self.refuse_during_shutdown()
            if name in self._groups:
                raise AlreadyAdded(name)
            definition = self.config.groups.get(name)
            if definition is None:
                raise NoSuchGroup(name)
            group = self.add(definition)
            self.sort()
            await self.autostart(group.processes)

    async def remove_group(self, name: str) -> None:
        """Make a group inactive.

        Raises:
            NoSuchGroup: there is none.
            StillRunning: a process of it is up.
        """
        async with self._reloader.lock:
            group = self.group(name)
            if any(process.state not in SETTLED or self._can_stop(process) for process in group.processes):
                raise StillRunning(name)
            self.discard(group)

    # Pieces that operations, reload and shutdown are made of

    def add(self, definition: GroupDefinition) -> Group:
        """Add a group with all its processes, none of them started. The caller sorts after the last."""
        group = self._groups[definition.name] = Group(definition, [])
        for process_definition in definition.processes:
            self.add_process(group, process_definition)
        self.events.publish(ProcessGroupEvent(group=definition.name, added=True))
        return group

    def add_process(self, group: Group, definition: ProcessDefinition) -> Process:
        """Add one process to a group, not started. The caller sorts after the last."""
        process = Process(definition, self._host)
        group.processes.append(process)
        self._processes[process.name] = process
        for watcher in self.watchers.added:
            watcher(process)
        return process

    def redefine(self, process: Process, definition: ProcessDefinition) -> None:
        """Have a process take over another definition."""
        process.redefine(definition)
        for watcher in self.watchers.redefined:
            watcher(process)

    def discard_process(self, group: Group, process: Process) -> None:
        """Forget a process that is down."""
        self._dependencies.cancel(process)
        self.recovery.forget(process)
        group.processes.remove(process)
        self._processes.pop(process.name, None)
        self._returning.pop(process.name, None)
        for watcher in self.watchers.removed:
            watcher(process)
        process.retire()

    def discard(self, group: Group) -> None:
        """Forget a group whose processes are all down."""
        for process in tuple(group.processes):
            self.discard_process(group, process)
        self._groups.pop(group.name, None)
        self.events.publish(ProcessGroupEvent(group=group.name, added=False))

    def reconsider(self) -> None:
        """Look again at what definitions ask for, after some of them were replaced."""
        self._dependencies.reconsider()
        self._memory.reconsider()

    def sort(self) -> None:
        """Restore the name order after groups and processes were added."""
        self._groups = dict(sorted(self._groups.items()))
        self._processes = dict(sorted(self._processes.items()))

    async def stop_in_waves(self, processes: Sequence[Process], *, returning: object = None) -> None:
        """Stop what can be stopped of ``processes``, and wait until all of it is gone.

        One that outlives SIGKILL is not waited for.

        Args:
            returning: given by whoever means to start them again, and asks with ``returns`` whether
                that is still wanted.
        """
        for process in processes:
            self._returning[process.name] = returning
            self._call_off(process)
        for wave in stop_waves([p.definition for p in processes], self._priorities()):
            if self.shutting_down and self.listeners is not None and any(d.listener for d in wave):
                await self.listeners.farewell()
            members = [self._processes[d.name] for d in wave if d.name in self._processes]
            for process in members:
                # While those before it ended, it may have failed, and be about to come back.
                self._call_off(process)
                if self._can_stop(process):
                    process.stop()
            # All at once: who is down first may be up again before the last is down.
            for down in [process.when_down() for process in members]:
                await down

    def returns(self, process: Process, returning: object) -> bool:
        """Whether nobody has asked for a stop of ``process`` after the one with ``returning``."""
        return self._processes.get(process.name) is process and self._returning[process.name] is returning

    def is_to_return(self, name: str) -> bool:
        """Whether the last stop of a process was to start it again, whoever asked for it."""
        return self._returning.get(name) is not None

    def hold(self) -> None:
        """Start nothing automatically any more."""
        self._dependencies.cancel_all()
        for process in self._processes.values():
            self.recovery.cancel(process)
            process.hold()

    def refuse_during_shutdown(self) -> None:
        """Raises ShuttingDown when nothing may be started or changed any more."""
        if self.shutting_down:
            raise ShuttingDown

    def run_in_background(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Finish an operation that nobody waits for."""
        task = self._host.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background_done)
        return task

    def _background_done(self, task: asyncio.Task[object]) -> None:
        self._background.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, KahiError):
            log.warning("an operation in the background was given up: %s", error)
        elif error is not None:
            log.error("an operation in the background failed", exc_info=error)

    def is_wanted(self, process: Process) -> bool:
        """Whether ``process`` is up, or comes up again without anybody's doing."""
        if process.waits_for:
            return True
        if process.state is State.STOPPING:
            return self._returning.get(process.name) is not None
        is_on_its_way = process.state in (State.STARTING, State.RUNNING, State.BACKOFF)
        return is_on_its_way or process.record.deadline is not None

    def _overtaken_outcome(self, process: Process) -> Outcome:
        """What a restart says about a process that somebody else has stopped or restarted meanwhile."""
        if self._returning.get(process.name) is not None:
            return Outcome(process.name, process.state)
        return Outcome(process.name, process.state, ProcessError(process.name, "stopped meanwhile"))

    async def _first_attempt(self, process: Process, started: asyncio.Future[None]) -> Outcome:
        try:
            await asyncio.shield(started)
        except KahiError as error:
            return Outcome(process.name, process.state, error)
        decided = await process.when(_is_decided)
        return start_outcome(process, decided)

    def _in_start_order(self, processes: Sequence[Process], *, with_needed: bool) -> list[Process]:
        wanted = [p.definition for p in processes]
        if with_needed:
            wanted = with_dependencies(wanted, self._unmet)
        ordered = start_order(wanted, self._priorities())
        return [self._processes[d.name] for d in ordered if d.name in self._processes]

    def _call_off(self, process: Process) -> None:
        """Have a start of ``process`` that is to come not come."""
        self._dependencies.cancel(process)
        self.recovery.cancel(process)

    def _can_stop(self, process: Process) -> bool:
        if self._dependencies.is_waiting(process) or self.recovery.is_pending(process):
            return True
        return process.state not in SETTLED or process.record.deadline is not None

    def _priorities(self) -> dict[str, int]:
        return {group.name: group.priority for group in self._groups.values()}

    def _named_by(self, name: str) -> list[Process]:
        if name in self._processes:
            return [self._processes[name]]
        return [process for process in self._processes.values() if process.program == name]

    def _unmet(self, name: str, condition: Condition) -> list[ProcessDefinition]:
        return [p.definition for p in self._named_by(name) if not is_met(condition, p)]

    def health_changed(self, process: Process) -> None:
        """Note that a process became healthy, or is not any more: others may wait for it."""
        self._dependencies.reconsider()

    def _process_changed(self, process: Process) -> None:
        self._dependencies.reconsider()
        if process.definition.max_memory:
            self._memory.reconsider()
        self.ending.consider(process)
        for watcher in self.watchers.changed:
            watcher(process)


def _is_decided(state: State) -> bool:
    return state is not State.STARTING
