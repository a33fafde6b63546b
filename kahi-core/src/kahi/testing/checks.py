"""What the plugin manager would say about a plugin, without a daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kahi.plugins import PluginManager


def check_plugin(plugin: Any, name: str = "", *, beside: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with a plugin: empty when a daemon would use it.

    Hooks and arguments that do not exist, coroutines where plain functions are due and the other way
    round, filters for events that there are not, requirements that nobody meets, tables and health
    checks that belong to others or are none.

    Args:
        plugin: what the entry point names, mostly a module.
        name: that of the entry point; "" takes the module's, without ``kahi_``.
        beside: other plugins that it requires, or whose hooks it implements, by name.
    """
    name = name or plugin_name(plugin)
    plugins = PluginManager()
    for other, found in (beside or {}).items():
        plugins.register(found, other)
    plugins.register(plugin, name)
    plugins.declare_sections()
    plugins.declare_health_checks()
    return [f"{info.name}: {info.reason}" for info in plugins.list() if info.status == "failed"]


def plugin_name(plugin: Any) -> str:
    """The name of a plugin that was given none: its module's, without ``kahi_``."""
    module: str = getattr(plugin, "__name__", type(plugin).__name__)
    return module.rpartition(".")[2].removeprefix("kahi_")
