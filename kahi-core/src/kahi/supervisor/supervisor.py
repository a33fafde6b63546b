"""The supervisor: every process of the configuration, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from kahi.config.config import Config
from kahi.config.models import SupervisorSettings
from kahi.definition import ProcessDefinition
from kahi.errors import (
    AlreadyAdded,
    KahiError,
    LogError,
    NoSuchGroup,
    NotRunning,
    ShuttingDown,
    StillRunning,
)
from kahi.process import Host, Process
from kahi.supervisor.background import Background
from kahi.supervisor.dependencies import Dependencies
from kahi.supervisor.ending import Ending
from kahi.supervisor.group import Group
from kahi.supervisor.memory import MemoryWatch
from kahi.supervisor.outcome import Outcome, overtaken_outcome, stop_outcome
from kahi.supervisor.recovery import Recovery
from kahi.supervisor.reload import Reloader, ReloadReport
from kahi.supervisor.roster import Roster
from kahi.supervisor.selection import select
from kahi.supervisor.starting import Starting
from kahi.supervisor.stopping import Stopping
from kahi.supervisor.watchers import Watchers

if TYPE_CHECKING:
    from kahi.listeners import Listeners


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
        self._host = host
        self.identifier = config.supervisor.identifier
        """The configured name of this daemon."""
        self.events = host.events
        """The bus on which everything that happens is published."""
        self.watchers = Watchers(removed=[self._forget])
        """Who is told about processes that come, change and go."""
        self.background = Background(host.loop)
        """Finishes operations that nobody waits for."""
        self.recovery = Recovery(self.background, host.system)
        """Restarts processes that run but do not do their work."""
        self.listeners: Listeners | None = None
        """The pools of event listeners; None where there is no daemon around the supervisor."""
        self._roster = Roster(host, self.watchers)
        self._memory = MemoryWatch(self._roster, self.recovery, self.background, host.system, host.loop)
        self._dependencies = Dependencies(host.loop, self._roster.named)
        self._starting = Starting(self._roster, self._dependencies, self.recovery, host.system)
        self._stopping = Stopping(self._roster, self._dependencies, self.recovery, self._before_stop)
        self._reloader = Reloader(self, self._roster, self._stopping, load_config)
        self.ending = Ending(self)
        self.on_reloaded: Callable[[Config, Config], None] | None = None
        """Told of the old and the new configuration after each reload."""
        self.while_reloading: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered for as long as a reload takes, one that is refused too."""
        host.on_change = self._process_changed

    # What there is

    @property
    def settings(self) -> SupervisorSettings:
        """The ``[supervisor]`` table."""
        return self.config.supervisor

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
        return self._roster.processes

    @property
    def groups(self) -> Mapping[str, Group]:
        """All active groups by name, in name order."""
        return self._roster.groups

    def process(self, name: str) -> Process:
        """The process called ``name``.

        Raises:
            NoSuchProcess: there is none.
        """
        return self._roster.process(name)

    def group(self, name: str) -> Group:
        """The active group called ``name``.

        Raises:
            NoSuchGroup: there is none.
        """
        return self._roster.group(name)

    def select(self, targets: Sequence[str]) -> list[Process]:
        """The processes that names and patterns stand for; see [kahi.supervisor.selection][].

        Raises:
            NoSuchProcess, NoSuchGroup: a name or pattern that nothing matches.
        """
        return select(targets, self.processes, self.groups)

    # Operations

    async def boot(self) -> None:
        """Add the groups of the configuration and start what starts by itself."""
        # Listeners first: a pool gets the events of every group that comes after it.
        for definition in sorted(self.config.groups.values(), key=lambda group: group.priority):
            self._roster.add(definition)
        if not self.shutting_down:
            await self.autostart(self.processes.values())

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
        return await self._starting.start(processes, wait=wait, strict=strict, on_request=on_request)

    async def stop(
        self, processes: Sequence[Process], *, wait: bool = True, strict: bool = False
    ) -> list[Outcome]:
        """Stop processes in falling priority, dependants first, each wave once the last is gone.

        Args:
            wait: until all are gone; otherwise go on in the background.
            strict: a process that does not run is an error, not skipped.
        """
        not_running = {p.name for p in processes if not self._stopping.can_stop(p)}
        running = [process for process in processes if process.name not in not_running]
        if wait:
            await self._stopping.stop(running)
        else:
            self.background.run(self._stopping.stop(running))
        return [stop_outcome(p, was_running=p.name not in not_running or not strict) for p in processes]

    async def restart(self, processes: Sequence[Process], *, wait: bool = True) -> list[Outcome]:
        """Stop processes, then start them; one that is not running is started.

        Raises:
            ShuttingDown: nothing is started any more.
        """
        self.refuse_during_shutdown()
        if not wait:
            self.background.run(self.restart(processes))
            return [Outcome(process.name, process.state) for process in processes]
        order = object()
        await self._stopping.stop(processes, returning=order)
        ours = [process for process in processes if self._stopping.returns(process, order)]
        outcomes = {outcome.name: outcome for outcome in await self.start(ours)}
        return [
            outcomes.get(p.name) or overtaken_outcome(p, returns=self._stopping.is_to_return(p.name))
            for p in processes
        ]

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
            if name in self.groups:
                raise AlreadyAdded(name)
            definition = self.config.groups.get(name)
            if definition is None:
                raise NoSuchGroup(name)
            await self.autostart(self._roster.add(definition).processes)

    async def remove_group(self, name: str) -> None:
        """Make a group inactive.

        Raises:
            NoSuchGroup: there is none.
            StillRunning: a process of it is up.
        """
        async with self._reloader.lock:
            group = self.group(name)
            if any(map(self._stopping.can_stop, group.processes)):
                raise StillRunning(name)
            self._roster.discard(group)

    # What reload, shutdown and those around the supervisor have it do

    def reconsider(self) -> None:
        """Look again at what definitions ask for, after some of them were replaced."""
        self._dependencies.reconsider()
        self._memory.reconsider()

    def health_changed(self, process: Process) -> None:
        """Note that a process became healthy, or is not any more: others may wait for it."""
        self._dependencies.reconsider()

    def hold(self) -> None:
        """Start nothing automatically any more."""
        self._dependencies.cancel_all()
        self.recovery.hold()
        for process in self.processes.values():
            process.hold()

    def refuse_during_shutdown(self) -> None:
        """Raises ShuttingDown when nothing may be started or changed any more."""
        if self.shutting_down:
            raise ShuttingDown

    async def _before_stop(self, wave: Sequence[ProcessDefinition]) -> None:
        if self.shutting_down and self.listeners is not None and any(d.listener for d in wave):
            await self.listeners.farewell()

    def _process_changed(self, process: Process) -> None:
        self._dependencies.reconsider()
        if process.definition.max_memory:
            self._memory.reconsider()
        self.ending.consider(process)
        for watcher in self.watchers.changed:
            watcher(process)

    def _forget(self, process: Process) -> None:
        self._dependencies.cancel(process)
        self.recovery.forget(process)
        self._stopping.forget(process)
