"""All plugins of one daemon."""

from __future__ import annotations

import functools
import inspect
import logging
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy

from kahi import hookspecs
from kahi.boundary import PLUGIN_ERRORS
from kahi.entrypoints import EntryPoint, entry_points
from kahi.errors import KahiError, Problem, StartRefused
from kahi.hookspecs import (
    CORE_CHECKS,
    CORE_TABLES,
    ConfigSection,
    HealthCheck,
    LogSink,
    PasswordHasher,
    Service,
    SpawnRequest,
)
from kahi.markers import FILTER, PROJECT
from kahi.plugins.calls import HookCalls, OnError
from kahi.plugins.discovery import GROUP, RequirementError, Unwanted, in_order, load, requirements
from kahi.plugins.info import PluginInfo, ServiceInfo
from kahi.plugins.registration import ADD_HOOK, EVENT_HOOK, RegistrationError, Specifications

if TYPE_CHECKING:
    import ssl

    from pydantic import BaseModel

    from kahi.config.config import Config
    from kahi.definition import ProcessDefinition
    from kahi.events import Event
    from kahi.plugins.context import PluginContext

log = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")

NAMED_ERRORS: Final = 200
"""Different errors that are logged; all are counted."""


class PluginMissing(KahiError):
    """A required plugin is not there, or failed."""


class PluginManager:
    """All plugins of one daemon, and the only way hooks are called.

    Hooks are called plugin by plugin: by name, each after those that it requires. What a plugin
    raises is caught, logged with its traceback when it is seen for the first time, and counted.
    """

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._specified = Specifications(self._pluggy)
        self._calls = HookCalls(self._pluggy, self._position, self.count_error)
        self._infos: dict[str, PluginInfo] = {}
        self._plugins: dict[str, Any] = {}
        self._packages: dict[str, str] = {}
        self._models: dict[str, list[type[BaseModel]]] = {}
        self._named_errors: set[tuple[str, str, str]] = set()
        self.specifications: list[tuple[str, object]] = [("", hookspecs)]
        """Where hooks are specified: the plugin that added them ("" for core), and the namespace."""
        self.sections: tuple[ConfigSection, ...] = ()
        """All tables and keys that plugins declared."""
        self.health_checks: dict[str, tuple[str, type[HealthCheck]]] = {}
        """Kinds of health checks that plugins declared: the plugin, and the class."""
        self.on_failure: Callable[[str], None] | None = None
        """Told the name of each plugin that is taken out of service."""

    # Who there is

    def discover(self, disabled: Iterable[str] = (), *, found: Sequence[EntryPoint] | None = None) -> None:
        """Import and register the plugins of installed distributions.

        Args:
            disabled: names that are not imported; ``all`` stands for every one.
            found: entry points to use in place of the installed ones.
        """
        unwanted = Unwanted.find(disabled)
        imported: dict[str, Any] = {}
        for entry in entry_points(GROUP) if found is None else found:
            info = PluginInfo(entry.name, entry.distribution, entry.version)
            self._infos[entry.name] = info
            info.reason = unwanted.reason(entry.name)
            if info.reason:
                info.status = "disabled"
                continue
            attempt = load(entry)
            info.load_seconds = attempt.seconds
            if attempt.error is not None:
                self.fail(entry.name, f"import failed: {attempt.error!r}", attempt.error)
            else:
                imported[entry.name] = attempt.plugin
        ordered = self._in_order(imported)
        for name in ordered:
            self._add_hooks(imported[name], name)
        for name in ordered:
            if self._infos[name].status == "active":
                self._register(imported[name], name)

    def register(self, plugin: Any, name: str) -> None:
        """Add a plugin whose object (mostly a module) is at hand, behind those that are there."""
        self._infos.setdefault(name, PluginInfo(name))
        if self._in_order({name: plugin}):
            self._add_hooks(plugin, name)
        if self._infos[name].status == "active":
            self._register(plugin, name)

    def require(self, names: Iterable[str]) -> None:
        """Raises PluginMissing for the first of ``names`` that is not active."""
        for name in names:
            info = self._infos.get(name)
            if info is None:
                raise PluginMissing(f"required plugin {name!r} is not installed")
            if info.status != "active":
                raise PluginMissing(f"required plugin {name!r} is {info.status}: {info.reason}")

    def list(self) -> list[PluginInfo]:
        """All plugins that were found, in name order."""
        return [self._infos[name] for name in sorted(self._infos)]

    def out_of_service(self) -> dict[str, str]:
        """Plugins whose tables nobody knows, and what is the matter with each."""
        unusable = self._unusable()
        return {name: what for name, what in unusable.items() if not self._infos[name].tables}

    def owner_of(self, function: Callable[..., Any]) -> str:
        """The plugin whose code a function is, "" when it is no plugin's."""
        while isinstance(function, functools.partial):
            function = function.func
        return self.owner_of_module(getattr(function, "__module__", None) or "")

    def owner_of_module(self, module: str) -> str:
        """The plugin that a module belongs to, "" when it is no plugin's."""
        return self._packages.get(module.partition(".")[0], "")

    # What goes wrong

    def fail(self, name: str, reason: str, error: BaseException | None = None) -> None:
        """Take a plugin out of service, and those that require it."""
        info = self._infos[name]
        if info.status == "failed":
            return
        info.status, info.reason = "failed", reason
        info.errors += 1
        log.error("plugin %s: %s", name, reason, exc_info=error)
        self._plugins.pop(name, None)
        if self._pluggy.has_plugin(name):
            self._pluggy.unregister(name=name)
        self._calls.forget()
        if self.on_failure is not None:
            self.on_failure(name)
        for other in self.list():
            if name in other.requires and other.status == "active":
                self.fail(other.name, f"requires plugin {name!r}, which failed")

    def fail_model(self, model: type[BaseModel], error: Exception) -> None:
        """Take the plugin out of service whose model can not judge what the configuration says."""
        for name, declared in self._models.items():
            if model in declared:
                self.fail(name, f"its model {model.__name__} failed: {error!r}", error)

    def count_error(self, name: str, what: str, error: BaseException) -> None:
        """Note that a plugin raised; supervision goes on. What is new is logged with its traceback."""
        if name in self._infos:
            self._infos[name].errors += 1
        key = (name, what, repr(type(error)))
        if key in self._named_errors or len(self._named_errors) >= NAMED_ERRORS:
            return
        self._named_errors.add(key)
        who = f"plugin {name}" if name in self._infos else name or "core"
        log.error("%s: %s raised (from now on this is only counted)", who, what, exc_info=error)

    def count_stall(self, name: str) -> None:
        """Note that a plugin held the event loop for too long."""
        if name in self._infos:
            self._infos[name].stalls += 1

    def note_service(self, name: str, service: ServiceInfo) -> None:
        """List a service with its plugin."""
        self._infos[name].services.append(service)

    # Hooks that plugins added

    def call(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a hook that a plugin added with ``kahi_addhooks``.

        Returns:
            Names of the plugins that implement it, and what they returned, in order. One that
            raises is logged, counted and left out, as is one that returns None.
        """
        return self._calls.call(hook, arguments)

    def first(self, hook: str, **arguments: Any) -> Any:
        """Ask one plugin after the other until one returns something other than None.

        Raises:
            HookFailed: one raised. Nobody behind it was asked: who decides about access must not be
                passed over because it is broken.
        """
        return self._calls.first(hook, arguments)

    async def call_async(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """`call` for a hook that is specified with ``async def``; one plugin after the other."""
        return await self._calls.call_async(hook, arguments)

    async def first_async(self, hook: str, **arguments: Any) -> Any:
        """`first` for a hook that is specified with ``async def``. Raises HookFailed."""
        return await self._calls.first_async(hook, arguments)

    def implements(self, hook: str) -> bool:
        """Whether any plugin implements a hook; lets a caller skip what would lead to nothing."""
        return bool(self._calls.implementations(hook))

    # One typed method for each hook of core

    def declare_sections(self) -> tuple[ConfigSection, ...]:
        """Ask plugins once for their tables and keys; from then on they are ``sections``."""
        found: dict[tuple[str, bool], str] = {}
        sections: list[ConfigSection] = []
        for name, declared in self._lists(ConfigSection, "kahi_config_sections", {}, self._fail_in_hook):
            problem = _wrong_sections(declared, found)
            if problem:
                self.fail(name, f"kahi_config_sections: {problem}")
                continue
            found |= {(section.name, section.in_program): name for section in declared}
            self._infos[name].tables = tuple(section.name for section in declared)
            self._models[name] = [section.model for section in declared]
            sections += declared
        self.sections = tuple(sections)
        return self.sections

    def declare_health_checks(self) -> dict[str, type[HealthCheck]]:
        """Ask plugins once for their kinds of checks; from then on they are in ``health_checks``."""
        for name, kinds in self._calls.call("kahi_health_checks", {}, self._fail_in_hook):
            problem = _wrong_kinds(kinds, self.health_checks)
            if problem:
                self.fail(name, f"kahi_health_checks: {problem}")
            else:
                self.health_checks |= {kind: (name, kinds[kind]) for kind in kinds}
        return {kind: found for kind, (_, found) in self.health_checks.items()}

    def validate_config(self, config: Config) -> list[Problem]:
        """What plugins find wrong with a configuration."""
        results = self._lists(
            Problem, "kahi_validate_config", {"config": config, "plugins": self}, self.count_error
        )
        return [problem for _, found in results for problem in found]

    def setup(self, ctx: PluginContext) -> None:
        """Let every plugin prepare; one that can not is taken out of service.

        Raises:
            StartRefused: one says that the daemon must not run.
        """

        def failed(name: str, hook: str, error: BaseException) -> None:
            if isinstance(error, StartRefused):
                raise error
            self._fail_in_hook(name, hook, error)

        self._calls.call("kahi_setup", {"ctx": ctx}, failed)

    def services(self, ctx: PluginContext) -> list[tuple[str, Service]]:
        """The long-running parts of all plugins, with the plugin's name."""
        results = self._lists(Service, "kahi_services", {"ctx": ctx}, self._fail_in_hook)
        return [(name, service) for name, services in results for service in services]

    def reload(self, ctx: PluginContext, old: Config, new: Config) -> None:
        """Tell plugins about a new configuration."""
        self._calls.call("kahi_reload", {"ctx": ctx, "old": old, "new": new})

    def log_sinks(self, definition: ProcessDefinition, stream: str) -> list[tuple[str, LogSink]]:
        """Who wants what a process prints: plugin and sink."""
        hook, found = "kahi_log_sinks", list[tuple[str, LogSink]]()
        for name, sink in self._calls.call(hook, {"definition": definition, "stream": stream}):
            if isinstance(sink, LogSink):
                found.append((name, sink))
            else:
                self.count_error(name, hook, TypeError(f"returned {sink!r} in place of a LogSink"))
        return found

    def password_hashers(self, config: Config | None) -> list[PasswordHasher]:
        """All ways of hashing passwords under a configuration; later ones take precedence."""
        arguments = {"config": config}
        results = self._lists(PasswordHasher, "kahi_password_hashers", arguments, self.count_error)
        return [hasher for _, hashers in results for hasher in hashers]

    def narrow_tls(self, context: ssl.SSLContext, config: Config) -> None:
        """Have plugins narrow down what a TLS context accepts under a configuration.

        Raises:
            HookFailed: one raised, so the context may accept too much.
        """
        self._calls.all_or_nothing("kahi_tls_policy", {"context": context, "config": config})

    def version_details(self, config: Config | None) -> dict[str, Any]:
        """What plugins tell of themselves to whoever asks for the version."""
        details: dict[str, Any] = {}
        for _, told in self._calls.call("kahi_version", {"config": config}):
            details |= told
        return details

    def event_callbacks(self) -> list[tuple[str, Callable[[Event], None], tuple[str, ...]]]:
        """Who wants to be told of events: plugin, function, and the types it wants (none: all)."""
        return [
            (each.plugin_name, _told(each), getattr(each.function, FILTER, ()))
            for each in self._calls.implementations(EVENT_HOOK)
        ]

    def spawn_preparers(self) -> list[tuple[str, Callable[[SpawnRequest], Awaitable[None]]]]:
        """Who wants to be asked before a process is spawned, in order: plugin and coroutine function."""
        return [(each.plugin_name, _told(each)) for each in self._calls.implementations("kahi_prepare_spawn")]

    def _lists(
        self, kind: type[ItemT], hook: str, arguments: Mapping[str, Any], on_error: OnError
    ) -> list[tuple[str, list[ItemT]]]:
        """Call a hook that returns a list of one kind of things; anything else is an error."""
        results: list[tuple[str, list[ItemT]]] = []
        for name, found in self._calls.call(hook, arguments, on_error):
            try:
                items: list[Any] = list(found)
                if not all(isinstance(item, kind) for item in items):
                    raise TypeError(f"returned {found!r} in place of a list of {kind.__name__}")
            except PLUGIN_ERRORS as error:
                on_error(name, hook, error)
            else:
                results.append((name, items))
        return results

    # How plugins come in

    def _position(self, name: str) -> int:
        return list(self._plugins).index(name)

    def _in_order(self, imported: Mapping[str, Any]) -> list[str]:
        """The plugins that can be used, each after those that it requires; the others fail."""
        requires: dict[str, Sequence[str]] = dict.fromkeys(self._plugins, ())
        for name, plugin in imported.items():
            try:
                requires[name] = requirements(plugin)
            except RequirementError as error:
                self.fail(name, str(error))
        ordered, refused = in_order(requires, self._unusable())
        for name, why in refused.items():
            self.fail(name, why)
        for name in imported:
            self._infos[name].requires = tuple(requires.get(name, ()))
        return [name for name in ordered if name in imported]

    def _unusable(self) -> dict[str, str]:
        """What is the matter with each plugin that is not active."""
        words = {"disabled": "is disabled", "failed": "failed"}
        return {info.name: words[info.status] for info in self.list() if info.status in words}

    def _add_hooks(self, plugin: Any, name: str) -> None:
        """Take over the hooks that a plugin adds. What is wrong with the hook itself is told later."""
        try:
            if not self._specified.is_fine(plugin, ADD_HOOK):
                return
            for namespace in plugin.kahi_addhooks():
                self._pluggy.add_hookspecs(namespace)
                self.specifications.append((name, namespace))
        except PLUGIN_ERRORS as error:
            self.fail(name, f"{ADD_HOOK} failed: {error!r}", error)

    def _register(self, plugin: Any, name: str) -> None:
        try:
            hooks = self._specified.implemented(plugin, self._infos)
            self._plugins[name] = plugin
            with warnings.catch_warnings(record=True) as deprecations:
                warnings.simplefilter("always")
                self._pluggy.register(plugin, name=name)
        except RegistrationError as error:
            self.fail(name, str(error))
        except PLUGIN_ERRORS as error:
            self.fail(name, f"can not be registered: {error!r}", error)
        else:
            self._infos[name].hooks = hooks
            module: str = plugin.__name__ if inspect.ismodule(plugin) else type(plugin).__module__
            self._packages.setdefault(module.partition(".")[0], name)
            for deprecation in deprecations:
                log.warning("plugin %s: %s", name, deprecation.message)
        self._calls.forget()

    def _fail_in_hook(self, name: str, hook: str, error: BaseException) -> None:
        self.fail(name, f"{hook} failed: {error}", None if isinstance(error, KahiError) else error)


def _told(implementation: pluggy.HookImpl) -> Callable[[Any], Any]:
    """An implementation as a function of one argument, also when it does not name it."""
    function: Callable[..., Any] = implementation.function
    return function if implementation.argnames else lambda _: function()


def _wrong_kinds(kinds: Any, taken: Mapping[str, tuple[str, type[HealthCheck]]]) -> str:
    """What is wrong with the health checks of a plugin, "" when nothing is."""
    if not isinstance(kinds, Mapping):
        return f"returned {kinds!r} in place of kinds by name"
    for kind, found in kinds.items():  # pyright: ignore[reportUnknownVariableType]
        if kind in CORE_CHECKS:
            return f"{kind!r} belongs to core"
        if kind in taken:
            return f"{kind!r} belongs to plugin {taken[kind][0]!r}"
        if not isinstance(kind, str) or not inspect.iscoroutinefunction(getattr(found, "check", None)):  # pyright: ignore[reportUnknownArgumentType]
            return f"{kind!r} has no coroutine function `check`"
    return ""


def _wrong_sections(declared: Iterable[ConfigSection], taken: Mapping[tuple[str, bool], str]) -> str:
    """What is wrong with the tables of a plugin, "" when nothing is."""
    for section in declared:
        if not section.in_program and section.name in CORE_TABLES:
            return f"[{section.name}] belongs to core"
        owner = taken.get((section.name, section.in_program))
        if owner is not None:
            return f"{section.name!r} belongs to plugin {owner!r}"
    return ""
