"""Calling hooks, plugin by plugin, so that one that raises hurts no other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from kahi.boundary import AWAITED_ERRORS, PLUGIN_ERRORS
from kahi.errors import KahiError

OnError = Callable[[str, str, BaseException], None]
"""Told of a plugin, the hook in which it raised, and the error."""


class HookFailed(KahiError):
    """A hook without whose answer nothing can go on raised."""

    def __init__(self, plugin: str, hook: str, error: BaseException) -> None:
        self.plugin = plugin
        self.hook = hook
        super().__init__(f"plugin {plugin}: {hook} failed: {error!r}")


class HookCalls:
    """The implementations of all hooks, in order, and every way of calling them.

    Args:
        manager: the hooks and who implements them.
        position: where a plugin stands in the order.
        count_error: told of each error.
    """

    def __init__(
        self, manager: pluggy.PluginManager, position: Callable[[str], int], count_error: OnError
    ) -> None:
        self._manager = manager
        self._position = position
        self._count_error = count_error
        self._ordered: dict[str, tuple[pluggy.HookImpl, ...]] = {}

    def forget(self) -> None:
        """Ask anew who implements what: plugins have come or gone."""
        self._ordered.clear()

    def implementations(self, hook: str) -> tuple[pluggy.HookImpl, ...]:
        """Who implements a hook, in order; nobody when it is not there."""
        found = self._ordered.get(hook)
        if found is None:
            caller: pluggy.HookCaller | None = getattr(self._manager.hook, hook, None)
            those = [] if caller is None else caller.get_hookimpls()
            found = tuple(sorted(those, key=lambda each: self._position(each.plugin_name)))
            self._ordered[hook] = found
        return found

    def call(
        self, hook: str, arguments: Mapping[str, Any], on_error: OnError | None = None
    ) -> list[tuple[str, Any]]:
        """Call everybody. Who raises is reported and left out, as is who returns None."""
        results: list[tuple[str, Any]] = []
        for implementation in self.implementations(hook):
            if implementation not in self.implementations(hook):
                continue  # Its plugin was taken out of service by what happened before.
            name = implementation.plugin_name
            try:
                result = invoke(implementation, arguments)
            except PLUGIN_ERRORS as error:
                (on_error or self._count_error)(name, hook, error)
            else:
                if result is not None:
                    results.append((name, result))
        return results

    def first(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call one after the other until one returns something other than None.

        Raises:
            HookFailed: one raised; those behind it were not asked.
        """
        for implementation in self.implementations(hook):
            try:
                result = invoke(implementation, arguments)
            except PLUGIN_ERRORS as error:
                raise self._failed(implementation, hook, error) from error
            if result is not None:
                return result
        return None

    def all_or_nothing(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Call everybody, for what they do. Raises HookFailed when one raised."""
        for implementation in self.implementations(hook):
            try:
                invoke(implementation, arguments)
            except PLUGIN_ERRORS as error:
                raise self._failed(implementation, hook, error) from error

    async def call_async(self, hook: str, arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """`call` for a hook whose implementations are coroutines: one after the other."""
        results: list[tuple[str, Any]] = []
        for implementation in self.implementations(hook):
            try:
                result = await invoke(implementation, arguments, awaited=True)
            except AWAITED_ERRORS as error:
                self._count_error(implementation.plugin_name, hook, error)
            else:
                if result is not None:
                    results.append((implementation.plugin_name, result))
        return results

    async def first_async(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """`first` for a hook whose implementations are coroutines. Raises HookFailed."""
        for implementation in self.implementations(hook):
            try:
                result = await invoke(implementation, arguments, awaited=True)
            except AWAITED_ERRORS as error:
                raise self._failed(implementation, hook, error) from error
            if result is not None:
                return result
        return None

    def _failed(self, implementation: pluggy.HookImpl, hook: str, error: BaseException) -> HookFailed:
        self._count_error(implementation.plugin_name, hook, error)
        return HookFailed(implementation.plugin_name, hook, error)


def invoke(implementation: pluggy.HookImpl, arguments: Mapping[str, Any], *, awaited: bool = False) -> Any:
    """Call one implementation with those of ``arguments`` that it names.

    The watch over the event loop recognises this frame, and reads from it whose code runs.
    """
    result: Any = implementation.function(*[arguments[name] for name in implementation.argnames])
    if not awaited and inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError("returned something to be awaited, from a hook that is not async")
    return result
