"""Finding formats among those of all plugins."""

from __future__ import annotations

from typing import Protocol, TypeVar

from kahi.errors import KahiError
from kahi.plugins import PluginManager


class Named(Protocol):
    """A format, of whatever kind."""

    @property
    def name(self) -> str:
        """What the command line calls it."""
        ...


FormatT = TypeVar("FormatT", bound=Named)


def all_formats(plugins: PluginManager, hook: str, kind: type[FormatT]) -> dict[str, FormatT]:
    """The formats of all plugins by name.

    Raises:
        KahiError: two plugins give formats of the same name, or something else than a format.
    """
    found: dict[str, FormatT] = {}
    owners: dict[str, str] = {}
    for plugin, formats in plugins.call(hook):
        for each in formats:
            if not isinstance(each, kind):
                raise KahiError(f"plugin {plugin}: {hook} gives {each!r}, which is no {kind.__name__}")
            if each.name in found:
                raise KahiError(f"plugins {owners[each.name]} and {plugin} both give a format {each.name!r}")
            found[each.name], owners[each.name] = each, plugin
    return found


def named(formats: dict[str, FormatT], name: str) -> FormatT:
    """The format of that name.

    Raises:
        KahiError: there is none; lists those that there are.
    """
    if name not in formats:
        raise KahiError(f"there is no format {name!r} (allowed: {', '.join(sorted(formats))})")
    return formats[name]
