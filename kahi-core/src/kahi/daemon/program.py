"""`kahi daemon`: everything around the supervisor, in the order in which it has to happen.

Limits, directory and pid file come before the event loop; sockets are bound by plugins before
privileges are dropped; children are started before the plugins' services, whose libraries take
longer to import than a child takes to run.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio

from kahi.audit import audit
from kahi.config.config import Config
from kahi.daemon.daemonize import Daemonized, daemonize
from kahi.daemon.earlylog import EarlyLog
from kahi.daemon.followers import make_health, make_listeners
from kahi.daemon.loop import leave, run_loop
from kahi.daemon.ownlog import close_own_log, open_own_log, output_settings, set_level
from kahi.daemon.pidfile import pid_file
from kahi.daemon.preparation import Preparation
from kahi.daemon.privileges import drop_privileges, raise_limits
from kahi.daemon.record import children_on_record
from kahi.daemon.servicemanager import ServiceManager, take_variables
from kahi.daemon.services import Services
from kahi.daemon.signals import handle_signals, shield_from_signals
from kahi.daemon.startup import Loaded, load_everything
from kahi.definition import ProcessDefinition
from kahi.errors import ConfigError, KahiError, LogError
from kahi.events import EventBus, SupervisorStateEvent
from kahi.fastcgi import SharedSockets
from kahi.guardian import Guardian, post_guardian
from kahi.ledger import Ledger
from kahi.leftovers import GroupScans
from kahi.output import DataPlane, OutputStream, PluginSink, StreamKey, remove_auto_logs
from kahi.plugins import PluginContext
from kahi.process import Host
from kahi.reaper import Reaper
from kahi.stdio import ensure_standard_descriptors
from kahi.supervisor import Supervisor
from kahi.system import System

log = logging.getLogger(__name__)

LAST_OUTPUT: Final = 5.0
"""Seconds the data plane is given at the end to deliver what was printed."""

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a busy event loop lets the data plane run: each of its reads waits that long at
most, in place of Python's 5 ms, so that last words are delivered in time also in a storm of exits."""

DESCRIPTORS_OF_A_PROCESS: Final = 5
"""stdin, stdout, stderr, a pidfd and a log file."""

OWN_DESCRIPTORS: Final = 256


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; "" leaves it to the configuration."""

    config: str = ""
    pidfile: str = ""
    user: str = ""
    daemonize: bool = False


def run(options: Options, system: System | None = None, guardian: Guardian | None = None) -> int:
    """Supervise until the end; returns the exit code.

    Args:
        guardian: one that was posted early; otherwise one is posted now.

    Raises:
        KahiError: the daemon could not be started. A daemon in the background tells it to the
            process that waits in the shell.
    """
    system = system or System()
    sys.setswitchinterval(SWITCH_INTERVAL)
    ensure_standard_descriptors()
    guardian = guardian or post_guardian()
    early = EarlyLog()
    background = Daemonized()
    manager = ServiceManager(take_variables(os.environ))
    try:
        loaded = load_everything(os.path.abspath(options.config) if options.config else "")
        background = daemonize() if options.daemonize else background
        return _run_loaded(loaded, options, background, manager, guardian, system, early)
    except KahiError as error:
        early.tell()
        manager.failed(error)
        if background.tell_failure(str(error) if error.is_report else f"kahi: {error}"):
            return 1
        raise
    finally:
        guardian.dismiss()
        manager.close()


def _run_loaded(
    loaded: Loaded,
    options: Options,
    background: Daemonized,
    manager: ServiceManager,
    guardian: Guardian,
    system: System,
    early: EarlyLog,
) -> int:
    settings = loaded.config.supervisor
    raise_limits(system, settings.minfds, settings.minprocs)
    if settings.umask is not None:
        os.umask(settings.umask)
    if settings.directory:
        try:
            os.chdir(settings.directory)
        except OSError as error:
            raise KahiError(
                f"cannot change to {settings.directory}: {os.strerror(error.errno or 0)}"
            ) from None
    early_signals = shield_from_signals(system)
    system.close_inherited_at_exec()
    with pid_file(options.pidfile or settings.pidfile) as remark:
        if remark:
            log.warning("%s", remark)
        if settings.on_daemon_death == "leave":
            guardian.dismiss()
        with children_on_record(loaded.config.path, system, guardian) as ledger:
            daemon = Daemon(loaded, options.user or settings.user, background, system, early, early_signals)
            daemon.ledger = ledger
            daemon.manager = manager
            ended = run_loop(daemon.run, loaded.plugins)
    return leave(ended)


class Daemon:
    """The supervisor and what surrounds it, for one run of the event loop.

    Args:
        user: whom to become once sockets are bound, "" for nobody else.
        background: who waits in the shell to be told that it is up.
        early: what was logged before.
        early_signals: those that came before; None when signals are not for it.
    """

    def __init__(
        self,
        loaded: Loaded,
        user: str = "",
        background: Daemonized | None = None,
        system: System | None = None,
        early: EarlyLog | None = None,
        early_signals: list[int] | None = None,
    ) -> None:
        self._loaded = loaded
        self._user = user
        self._background = background or Daemonized()
        self._system = system or System()
        self._early = early or EarlyLog()
        self._early_signals = early_signals
        self.ledger: Ledger | None = None
        """Where all children are noted, to be found should this process die."""
        self.context: PluginContext | None = None
        """What plugins get to work with, once there is a supervisor."""
        self.manager = ServiceManager()
        """Who started the daemon, and is told how it fares."""

    async def run(self) -> int:
        """Supervise until the end; returns the exit code."""
        config, system = self._loaded.config, self._system
        settings = config.supervisor
        loop = asyncio.get_running_loop()
        events = EventBus(system.wall_clock)
        plane = DataPlane(output_settings(settings), system, loop, events)
        plane.start()
        self._daemon_log = await open_own_log(plane, settings, self._user)
        self._early.hand_over()
        try:
            reaper = Reaper(system, loop, adopts_orphans=self._adopts_orphans())
            sockets = SharedSockets()
            host = self._host(plane, reaper, events)
            host.input_for = sockets.descriptor_for
            supervisor = Supervisor(config, host, self._loaded.load_again)
            supervisor.watchers.changed.append(sockets.process_changed)
            listeners = make_listeners(supervisor, host)
            health = make_health(supervisor, host, self._loaded.plugins)
            try:
                await self._supervise(loop, supervisor, plane, host)
            except BaseException as error:
                if not isinstance(error, KahiError):
                    log.critical("the daemon failed, its processes are stopped", exc_info=error)
                # No child outlives the daemon, whatever happens to it.
                with anyio.CancelScope(shield=True):
                    supervisor.ending.request("it failed", exit_code=1)
                    await supervisor.ending.stop_everything()
                raise
            health.close()
            listeners.close()
            sockets.close()
            reaper.close()
        finally:
            with anyio.CancelScope(shield=True):
                await plane.close(LAST_OUTPUT, self._daemon_log)
            close_own_log()
        return supervisor.ending.exit_code

    async def _supervise(
        self, loop: asyncio.AbstractEventLoop, supervisor: Supervisor, plane: DataPlane, host: Host
    ) -> None:
        plugins, settings = self._loaded.plugins, supervisor.settings
        context = self.context = PluginContext(supervisor, plugins, self._daemon_log, self._user)
        supervisor.events.guard(plugins.owner_of, plugins.count_error)
        plugins.on_failure = supervisor.events.drop
        plugins.setup(context)
        context.descriptors = _make_room(self._system, supervisor.config, context.descriptors)
        plugins.require(settings.required_plugins)
        drop_privileges(self._system, self._user)
        services = plugins.services(context)
        plugins.require(settings.required_plugins)
        if not settings.nocleanup:
            remove_auto_logs(settings.childlogdir, settings.identifier)
        for name, callback, types in plugins.event_callbacks():
            supervisor.events.subscribe(callback, *types, owner=name)
        preparation = Preparation(plugins)
        if preparation.is_wanted:
            host.prepare = preparation.prepare
        supervisor.on_reloaded = lambda old, new: self._reloaded(context, old, new)
        _warn(supervisor.config)
        log.info(
            "%s is up with pid %d, configuration %s", settings.identifier, os.getpid(), supervisor.config.path
        )
        self.manager.attend(supervisor, loop)
        if self._early_signals is not None:
            _listen_to_signals(loop, supervisor, self._early_signals)
        await supervisor.boot()
        # Logs are open then and children spawned: services may take their time to import.
        await plane.catch_up()
        if not gc.isenabled():
            # The command left it to us: what is there now stays, and needs no looking through.
            gc.freeze()
            gc.enable()
        supervisor.events.publish(SupervisorStateEvent(state="RUNNING"))
        running = Services(plugins)
        running.start(services)
        self._background.tell_up()
        self.manager.ready()
        await supervisor.ending.wait()
        await supervisor.ending.stop_everything()
        await running.stop()
        log.info("%s ends with exit code %d", settings.identifier, supervisor.ending.exit_code)

    def _host(self, plane: DataPlane, reaper: Reaper, events: EventBus) -> Host:
        system, plugins = self._system, self._loaded.plugins

        def open_stream(definition: ProcessDefinition, which: str) -> OutputStream:
            settings = definition.stdout if which == "stdout" else definition.stderr
            assert settings is not None

            def failed(plugin: str, error: BaseException) -> None:
                plane.report(lambda: plugins.count_error(plugin, f"sink of {definition.name} {which}", error))

            sinks = [
                PluginSink(plugin, sink, partial(failed, plugin))
                for plugin, sink in plugins.log_sinks(definition, which)
            ]
            return plane.stream(StreamKey(definition.name, definition.group, which), settings, sinks)

        return Host(
            system=system,
            loop=plane.loop,
            reaper=reaper,
            group_scans=GroupScans(system, plane.loop),
            events=events,
            environment=self._loaded.environ,
            on_change=lambda _: None,
            open_stream=open_stream,
            reopen_logs=plane.reopen,
            ledger=self.ledger,
        )

    def _adopts_orphans(self) -> bool:
        if self._early_signals is None:
            return False  # SIGCHLD tells of orphans.
        if os.getpid() == 1:
            return True
        if not self._loaded.config.supervisor.subreaper:
            return False
        try:
            self._system.become_subreaper()
        except OSError as error:
            raise KahiError(f"subreaper = true: {os.strerror(error.errno or 0)}") from None
        return True

    def _reloaded(self, context: PluginContext, old: Config, new: Config) -> None:
        set_level(new.supervisor)
        _make_room(self._system, new, context.descriptors)
        _warn(new)
        self._loaded.plugins.reload(context, old, new)


def _make_room(system: System, config: Config, of_plugins: int) -> int:
    """Raise the limit of open files to what all processes and plugins together can need.

    Returns:
        How many plugins may have, if the limit stays too low for all they asked for.
    """
    processes = sum(len(group.processes) for group in config.groups.values())
    needed = OWN_DESCRIPTORS + DESCRIPTORS_OF_A_PROCESS * processes
    try:
        system.raise_descriptor_limit(needed + of_plugins)
    except OSError as error:
        log.warning("%d processes and %d clients may not all fit: %s", processes, of_plugins, error)
        soft, _ = system.limits(resource.RLIMIT_NOFILE)
        return max(0, min(of_plugins, soft - needed))
    return of_plugins


def _warn(config: Config) -> None:
    for problem in config.warnings:
        log.warning("%s", problem)


def _listen_to_signals(
    loop: asyncio.AbstractEventLoop, supervisor: Supervisor, early_signals: list[int]
) -> None:
    reloading = False
    again = False

    def end(name: str) -> None:
        audit("signal", name, (), "kill at once" if supervisor.shutting_down else "shutdown")
        if supervisor.shutting_down:
            supervisor.ending.hurry()
        else:
            supervisor.ending.request(name)

    async def reload() -> None:
        # Any number of requests while one reload is under way bring one more.
        nonlocal reloading, again
        if reloading:
            again = True
            return
        reloading = True
        try:
            while True:
                again = False
                try:
                    report = await supervisor.update()
                except ConfigError as error:
                    log.error("reload refused, everything goes on as it was:\n%s", error)
                    audit("signal", "SIGHUP", (), "reload refused")
                except KahiError as error:
                    log.error("reload refused: %s", error)
                    audit("signal", "SIGHUP", (), f"reload refused: {error}")
                else:
                    audit("signal", "SIGHUP", (), str(report))
                if not again:
                    return
        finally:
            reloading = False

    handle_signals(
        loop,
        {
            signal.SIGTERM: lambda: end("SIGTERM"),
            signal.SIGINT: lambda: end("SIGINT"),
            signal.SIGQUIT: lambda: end("SIGQUIT"),
            signal.SIGHUP: lambda: supervisor.background.run(reload()),
            signal.SIGUSR2: lambda: supervisor.background.run(_reopen(supervisor)),
        },
        early_signals,
    )


async def _reopen(supervisor: Supervisor) -> None:
    try:
        await supervisor.reopen_logs()
    except LogError as error:
        # It is in the log by then, and nobody waits for an answer.
        audit("signal", "SIGUSR2", (), f"logs not reopened: {error}")
    else:
        audit("signal", "SIGUSR2", (), "logs reopened")
