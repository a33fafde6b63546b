"""Plugins: found, filtered before they are imported, checked, isolated and listed."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import pluggy

from kahi import hookspecs
from kahi.entrypoints import EntryPoint, entry_points
from kahi.errors import KahiError, Problem
from kahi.hookspecs import PROJECT, ConfigSection, Service

if TYPE_CHECKING:
    from kahi.config.config import Config
    from kahi.events import Event, EventBus
    from kahi.output import OutputStream
    from kahi.supervisor import Supervisor

log = logging.getLogger(__name__)

GROUP: Final = "kahi.plugins"
DISABLE_VARIABLE: Final = "KAHI_DISABLE_PLUGINS"
SLOW_HOOK: Final = 0.1
"""Seconds after which a hook that holds the event loop is reported."""

Status = Literal["active", "disabled", "failed"]


class PluginMissing(KahiError):
    """A required plugin is not there, or failed."""


@dataclass(slots=True)
class PluginInfo:
    """What is known about one plugin."""

    name: str
    distribution: str = ""
    version: str = ""
    status: Status = "active"
    reason: str = ""
    hooks: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    load_seconds: float = 0.0
    errors: int = 0


@dataclass(slots=True)
class PluginContext:
    """What a plugin gets to work with.

    Args:
        supervisor: all processes, and the operations on them.
        plugins: all plugins, for those that list them.
        daemon_log: the daemon's own log, to be read and followed.
        user: whom the daemon becomes after ``kahi_setup``, as ``user`` or ``user:group``; "" for
            nobody else. What that user may not read has to be imported before.
    """

    supervisor: Supervisor
    plugins: PluginManager
    daemon_log: OutputStream
    user: str = ""

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.supervisor.config

    @property
    def events(self) -> EventBus:
        """The bus of all events."""
        return self.supervisor.events


class PluginManager:
    """All plugins of one daemon, and the only way hooks are called."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._infos: dict[str, PluginInfo] = {}
        self._plugins: dict[str, Any] = {}
        self.sections: tuple[ConfigSection, ...] = ()
        """All tables and keys that plugins declared."""

    def discover(self, disabled: Iterable[str] = (), *, found: Sequence[EntryPoint] | None = None) -> None:
        """Import and register the plugins of installed distributions, in name order.

        Args:
            disabled: names that are not imported; ``all`` stands for every one.
            found: entry points to use in place of the installed ones.
        """
        unwanted = {*disabled, *filter(None, os.environ.get(DISABLE_VARIABLE, "").split(","))}
        imported: list[tuple[str, Any]] = []
        for entry in entry_points(GROUP) if found is None else found:
            info = PluginInfo(entry.name, entry.distribution, entry.version)
            self._infos[entry.name] = info
            if "all" in unwanted or entry.name in unwanted:
                info.status, info.reason = "disabled", "by configuration"
                continue
            begin = time.perf_counter()
            try:
                imported.append((entry.name, entry.load()))
            except Exception as error:  # noqa: BLE001 - boundary: a plugin that can not be imported
                self.fail(entry.name, f"import failed: {error!r}", error)
            info.load_seconds = time.perf_counter() - begin
        for name, plugin in imported:
            self._add_hooks(plugin, name)
        for name, plugin in imported:
            if self._infos[name].status == "active":
                self.register(plugin, name)

    def register(self, plugin: Any, name: str) -> None:
        """Add a plugin whose object (mostly a module) is at hand; a wrong hook makes it fail."""
        info = self._infos.setdefault(name, PluginInfo(name))
        hooks, optional = _implemented(plugin)
        unknown = [hook for hook in hooks if not hasattr(self._pluggy.hook, hook)]
        if unknown:
            self.fail(name, f"there is no hook {', '.join(unknown)}")
            return
        try:
            self._pluggy.register(plugin, name=name)
        except pluggy.PluginValidationError as error:
            self._pluggy.unregister(plugin)
            self.fail(name, str(error).replace("\n", " "))
            return
        self._plugins[name] = plugin
        known = (hook for hook in (*hooks, *optional) if hasattr(self._pluggy.hook, hook))
        info.hooks = tuple(sorted(known))

    def _add_hooks(self, plugin: Any, name: str) -> None:
        add = getattr(plugin, "kahi_addhooks", None)
        if add is None:
            return
        try:
            for namespace in add():
                self._pluggy.add_hookspecs(namespace)
        except Exception as error:  # noqa: BLE001 - boundary: plugins
            self.fail(name, f"kahi_addhooks failed: {error!r}", error)

    def require(self, names: Iterable[str]) -> None:
        """Raises PluginMissing for the first of ``names`` that is not active."""
        for name in names:
            info = self._infos.get(name)
            if info is None:
                raise PluginMissing(f"required plugin {name!r} is not installed")
            if info.status != "active":
                raise PluginMissing(f"required plugin {name!r} is {info.status}: {info.reason}")

    def fail(self, name: str, reason: str, error: BaseException | None = None) -> None:
        """Take a plugin out of service."""
        info = self._infos[name]
        info.status, info.reason = "failed", reason
        info.errors += 1
        log.error("plugin %s: %s", name, reason, exc_info=error)
        plugin = self._plugins.pop(name, None)
        if plugin is not None:
            self._pluggy.unregister(plugin)

    def list(self) -> list[PluginInfo]:
        """All plugins that were found, in name order."""
        return [self._infos[name] for name in sorted(self._infos)]

    def call(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a hook that a plugin added with ``kahi_addhooks``.

        Returns:
            Names of the plugins that implement it, and what they returned, in order. One that
            raises is logged, counted and left out.
        """
        return self._call(hook, **arguments)

    # One typed method for each hook of core

    def declare_sections(self) -> tuple[ConfigSection, ...]:
        """Ask plugins once for their tables and keys; from then on they are ``sections``."""
        found: list[ConfigSection] = []
        for name, sections in self._call("kahi_config_sections", fatal=True):
            self._infos[name].tables = tuple(section.name for section in sections)
            found += sections
        self.sections = tuple(found)
        return self.sections

    def validate_config(self, config: Config) -> list[Problem]:
        """What plugins find wrong with a configuration."""
        return [
            problem
            for _, found in self._call("kahi_validate_config", config=config)
            for problem in found or ()
        ]

    def setup(self, ctx: PluginContext) -> None:
        """Let every plugin prepare; one that can not is taken out of service."""
        self._call("kahi_setup", fatal=True, ctx=ctx)

    def services(self, ctx: PluginContext) -> list[tuple[str, Service]]:
        """The long-running parts of all plugins, with the plugin's name."""
        return [
            (name, service)
            for name, services in self._call("kahi_services", fatal=True, ctx=ctx)
            for service in services or ()
        ]

    def reload(self, ctx: PluginContext, old: Config, new: Config) -> None:
        """Tell plugins about a new configuration."""
        self._call("kahi_reload", ctx=ctx, old=old, new=new)

    def event_callbacks(self) -> list[tuple[str, Callable[[Event], None]]]:
        """Who wants to be told of every event: plugin and function."""
        return [
            (name, self._plugins[name].kahi_event)
            for name in sorted(self._plugins)
            if "kahi_event" in self._infos[name].hooks
        ]

    def count_error(self, name: str, what: str, error: BaseException) -> None:
        """Note that a plugin raised; supervision goes on. The first traceback is logged whole."""
        info = self._infos[name]
        info.errors += 1
        if info.errors == 1:
            log.error("plugin %s: %s raised", name, what, exc_info=error)
        else:
            log.error("plugin %s: %s raised %r", name, what, error)

    def _call(self, hook: str, *, fatal: bool = False, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a hook plugin by plugin, in name order, so that one that raises hurts no other."""
        results: list[tuple[str, Any]] = []
        for name in sorted(self._plugins):
            if hook not in self._infos[name].hooks:
                continue
            function = getattr(self._plugins[name], hook)
            begin = time.perf_counter()
            try:
                results.append((name, function(**_wanted(function, arguments))))
            except Exception as error:  # noqa: BLE001 - boundary: plugins
                if fatal:
                    self.fail(
                        name, f"{hook} failed: {error}", None if isinstance(error, KahiError) else error
                    )
                else:
                    self.count_error(name, hook, error)
            took = time.perf_counter() - begin
            if took > SLOW_HOOK:
                log.warning("plugin %s: %s held the event loop for %.0f ms", name, hook, took * 1000)
        return results


def _implemented(plugin: Any) -> tuple[list[str], list[str]]:
    """Names of the functions marked as hook implementations: those that must be known, and the rest."""
    required: list[str] = []
    optional: list[str] = []
    for name, value in inspect.getmembers(plugin):
        options = getattr(value, PROJECT + "_impl", None)
        if options is not None:
            (optional if options["optionalhook"] else required).append(name)
    return required, optional


def _wanted(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``arguments`` that the implementation names."""
    parameters = inspect.signature(function).parameters
    return {name: value for name, value in arguments.items() if name in parameters}
