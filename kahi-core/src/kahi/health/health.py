"""The health of all processes that are checked: who is looked at, and what follows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kahi.definition import HealthSettings
from kahi.errors import NotRunning
from kahi.events import ProcessHealthEvent
from kahi.health.command import CommandCheck
from kahi.health.http import HttpCheck
from kahi.health.judgement import Judgement
from kahi.health.monitor import Monitor
from kahi.health.notify import Notifications, NotifyDirectory
from kahi.health.probes import Probes
from kahi.health.schedule import Check, Schedule
from kahi.health.tcp import TcpCheck
from kahi.hookspecs import CheckFailed, HealthCheck
from kahi.lifecycle import State
from kahi.process import Host, Process

log = logging.getLogger(__name__)

UP = frozenset({State.STARTING, State.RUNNING})
"""States in which there is something to be checked."""


class Observer(Protocol):
    """Finds out how one process is, while it is up."""

    def begin(self) -> None:
        """The process is being started."""
        ...

    def end(self) -> None:
        """The process goes down."""
        ...

    def reconfigure(self, settings: HealthSettings) -> None:
        """Other settings, of the same check."""
        ...

    def close(self) -> None:
        """The process is checked no more."""
        ...


@dataclass(slots=True, eq=False)
class _Checked:
    """A process that is checked, by whom, and what is known."""

    monitor: Monitor
    observer: Observer


class Health:
    """Follows processes, and checks those that want to be. Belongs to the event-loop thread.

    Args:
        host: the daemon around the processes.
        kinds: kinds of checks that plugins bring.
        restart: restarts a process that is unhealthy.
        settled: told of a process that is healthy.
        changed: told when the health of a process has changed: others may wait for it.
        count_error: told of the kind of a plugin, and what a check of it raised.
    """

    def __init__(
        self,
        host: Host,
        kinds: Mapping[str, type[HealthCheck]],
        *,
        restart: Callable[[Process, str], None],
        settled: Callable[[Process], None],
        changed: Callable[[Process], None],
        count_error: Callable[[str, BaseException], None],
    ) -> None:
        self._host = host
        self._kinds = kinds
        self._restart = restart
        self._settled = settled
        self._changed = changed
        self._count_error = count_error
        self._checked: dict[str, _Checked] = {}
        self._probes = Probes(host.loop)
        self._directory = NotifyDirectory()

    def close(self) -> None:
        """Check nothing any more."""
        for checked in self._checked.values():
            checked.observer.close()
        self._checked.clear()
        self._directory.close()

    # Told by the supervisor

    def process_added(self, process: Process) -> None:
        """Make ready for a process if it is to be checked."""
        settings = process.definition.health
        if settings is None:
            return
        monitor = Monitor(settings, self._host.loop.time, lambda monitor: self._turned(process, monitor))
        process.health_monitor = monitor
        self._checked[process.name] = _Checked(monitor, self._observer(process, settings, monitor))

    def process_changed(self, process: Process) -> None:
        """Begin to check a process that is being started, and stop when it goes down."""
        checked = self._checked.get(process.name)
        if checked is None:
            return
        if process.state is State.STARTING:
            checked.monitor.begin()
            checked.observer.begin()
        elif process.state not in UP:
            checked.observer.end()
            checked.monitor.end()

    def process_redefined(self, process: Process) -> None:
        """Take over another health table, or none, while the process goes on."""
        settings = process.definition.health
        checked = self._checked.get(process.name)
        if settings == (None if checked is None else checked.monitor.settings):
            return
        if checked is not None and settings is not None and _same_check(checked.monitor.settings, settings):
            checked.monitor.settings = settings
            checked.observer.reconfigure(settings)
            return
        self.process_removed(process)
        self.process_added(process)
        if process.state in UP and process.name in self._checked:
            self._checked[process.name].monitor.begin()
            self._checked[process.name].observer.begin()
        self._changed(process)

    def process_removed(self, process: Process) -> None:
        """Forget a process."""
        checked = self._checked.pop(process.name, None)
        process.health_monitor = None
        if checked is not None:
            checked.observer.close()

    def environment_for(self, process: Process, environment: Mapping[str, str]) -> Mapping[str, str]:
        """What a process is started with; one that notifies has to know where.

        Raises:
            SpawnError: there is no place for its messages.
        """
        checked = self._checked.get(process.name)
        if checked is None or not isinstance(checked.observer, Notifications):
            return environment
        # Whose watchdog the daemon itself has to serve is no business of the child's.
        inherited = {name: value for name, value in environment.items() if name != "WATCHDOG_PID"}
        return inherited | checked.observer.environment()

    # What follows

    def _observer(self, process: Process, settings: HealthSettings, monitor: Monitor) -> Observer:
        host = self._host
        if settings.kind == "notify":
            return Notifications(process, settings, host.system, host.loop, self._directory, monitor)

        def judged(error: BaseException | None) -> Judgement:
            return monitor.judged(self._reason(settings.kind, error))

        check = self._check(settings)
        return Schedule(process, settings, check, self._probes, lambda: len(self._checked), judged)

    def _check(self, settings: HealthSettings) -> Check:
        target: Any = settings.target
        match settings.kind:
            case "http":
                return HttpCheck(target, settings.expect)
            case "tcp":
                return TcpCheck(target)
            case "exec":
                return CommandCheck(target, self._host)
            case kind:
                return self._kinds[kind](target)

    def _reason(self, kind: str, error: BaseException | None) -> str:
        if error is None:
            return ""
        if isinstance(error, CheckFailed):
            return str(error) or "it failed"
        self._count_error(kind, error)
        return f"the {kind} check itself failed: {error!r}"

    def _turned(self, process: Process, monitor: Monitor) -> None:
        """A process has become healthy, or unhealthy."""
        healthy = monitor.status == "healthy"
        if healthy:
            log.info("%s: healthy", process.name)
            self._settled(process)
        else:
            log.warning("%s: unhealthy: %s", process.name, monitor.reason)
        self._host.events.publish(
            ProcessHealthEvent(name=process.name, group=process.group, healthy=healthy, reason=monitor.reason)
        )
        self._changed(process)
        if not healthy:
            self._act(process, monitor)

    def _act(self, process: Process, monitor: Monitor) -> None:
        match monitor.settings.on_failure:
            case "restart":
                self._restart(process, f"unhealthy: {monitor.reason}")
            case "none":
                pass
            case signum:
                try:
                    process.send_signal(signum)
                except NotRunning:
                    log.debug("%s: ended before it got signal %d", process.name, signum)


def _same_check(one: HealthSettings, other: HealthSettings) -> bool:
    return (one.kind, one.target, one.expect) == (other.kind, other.target, other.expect)
