"""Checking what a plugin implements, before any of it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import pluggy

from kahi.errors import KahiError, nearest
from kahi.events import names_events
from kahi.markers import FILTER, PROJECT

ADD_HOOK: Final = "kahi_addhooks"
EVENT_HOOK: Final = "kahi_event"
REFUSED_OPTIONS: Final = ("wrapper", "hookwrapper", "tryfirst", "trylast")
"""Options of pluggy that would break isolation or the order by name."""

_KINDS: Final = inspect.Parameter


class RegistrationError(KahiError):
    """A plugin whose hooks are wrong; the text names each."""


class Specifications:
    """All hooks that there are, core's and those that plugins added."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager

    def implemented(self, plugin: Any, plugins: Iterable[str]) -> tuple[str, ...]:
        """Names of the hooks that a plugin implements.

        Args:
            plugins: names of all plugins, whose events may be named in filters.

        Raises:
            RegistrationError: with everything that is wrong with them.
        """
        if inspect.isclass(plugin):
            raise RegistrationError(
                f"is the class {plugin.__name__}: an entry point names a module or an object"
            )
        hooks: set[str] = set()
        problems: list[str] = []
        for attribute in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, attribute)
            hook = _hook(attribute, options)
            if hook and self._find(hook) is not None:
                hooks.add(hook)
                problems += _wrong_filter(hook, getattr(plugin, attribute), plugins)
            problems += self._problems(plugin, attribute, options)
        if problems:
            raise RegistrationError("; ".join(problems))
        return tuple(sorted(hooks))

    def is_fine(self, plugin: Any, hook: str) -> bool:
        """Whether a plugin implements one hook, and rightly so."""
        if not hasattr(plugin, hook):
            return False
        options = self._manager.parse_hookimpl_opts(plugin, hook)
        return _hook(hook, options) == hook and not list(self._problems(plugin, hook, options))

    def names(self) -> list[str]:
        """Names of all hooks."""
        return sorted(name for name in vars(self._manager.hook) if self._find(name) is not None)

    def _find(self, hook: str) -> Callable[..., object] | None:
        """The function that specifies a hook, None when there is no such hook."""
        caller: pluggy.HookCaller | None = getattr(self._manager.hook, hook, None)
        return None if caller is None or caller.spec is None else caller.spec.function

    def _problems(self, plugin: Any, attribute: str, options: Mapping[str, Any] | None) -> Iterator[str]:
        if options is None:
            yield from self._unmarked(plugin, attribute)
            return
        hook = _hook(attribute, options)
        specification = self._find(hook)
        if specification is not None:
            yield from _wrong(hook, specification, getattr(plugin, attribute), options)
        elif not options.get("optionalhook"):
            yield f"there is no hook {hook}{nearest(hook, self.names())}"

    def _unmarked(self, plugin: Any, attribute: str) -> Iterator[str]:
        """A function with the name of a hook that nobody would ever call."""
        if not attribute.startswith(f"{PROJECT}_") or self._find(attribute) is None:
            return
        value = getattr(plugin, attribute)
        if inspect.isroutine(value) and not hasattr(value, f"{PROJECT}_spec"):
            yield f"{attribute} is not marked with @hookimpl"


def _hook(attribute: str, options: Mapping[str, Any] | None) -> str:
    """The hook that an attribute with such options implements, "" when it implements none."""
    return "" if options is None else options.get("specname") or attribute


def _wrong_filter(hook: str, function: Any, plugins: Iterable[str]) -> Iterator[str]:
    """What is wrong with the filter of one implementation."""
    prefixes = [name.replace("-", "_").upper() for name in plugins]
    for wanted in getattr(function, FILTER, ()):
        name = wanted.upper()
        if hook != EVENT_HOOK:
            yield f"{hook} has no filter: events is for {EVENT_HOOK}"
        elif not names_events(name) and not any(f"{name}_".startswith(f"{each}_") for each in prefixes):
            yield f"there is no event {wanted!r}"


def _wrong(
    hook: str, specification: Callable[..., object], function: Any, options: Mapping[str, Any]
) -> Iterator[str]:
    """What is wrong with one implementation."""
    for option in REFUSED_OPTIONS:
        if options.get(option):
            yield f"{hook}: {option} is not supported, plugins are called by name and requirement"
            return
    known = tuple(inspect.signature(specification).parameters)
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if parameter.kind in (_KINDS.VAR_POSITIONAL, _KINDS.VAR_KEYWORD):
            yield f"{hook}: name the arguments that are needed in place of *{name}"
        elif name not in known:
            if parameter.default is parameter.empty:
                there = ", ".join(known) or "none"
                yield f"{hook} has no argument {name!r}{nearest(name, known)} (it has: {there})"
        elif parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty:
            yield f"{hook}: argument {name!r} must be positional and have no default"
    yield from _wrong_kind(hook, function, awaited=inspect.iscoroutinefunction(specification))


def _wrong_kind(hook: str, function: Any, *, awaited: bool) -> Iterator[str]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield f"{hook} must not be a generator"
    elif awaited and not inspect.iscoroutinefunction(function):
        yield f"{hook} must be a coroutine (async def)"
    elif not awaited and inspect.iscoroutinefunction(function):
        yield f"{hook} must be a plain function, not async"
