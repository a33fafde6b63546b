"""Tables of plugins that are not there: which package brings them, or what is the matter with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PLUGIN_TABLES: Final[Mapping[str, str]] = {
    "server": "api",
    "webui": "webui",
    "metrics": "metrics",
    "webhooks": "webhooks",
}
"""Tables of the official plugins, and the plugin of each, which an extra of the same name brings."""

PLUGIN_KEYS: Final[Mapping[str, str]] = {"fips": "fips"}
"""Keys in ``[supervisor]`` of official plugins, likewise. They ask for protection, so that nothing starts
without the plugin."""


def accepted(table: str, out_of_service: Mapping[str, str]) -> str:
    """Why a table that nobody knows is accepted all the same, "" when it is not.

    Args:
        out_of_service: what is the matter with installed plugins whose tables are not known.
    """
    owner = PLUGIN_TABLES.get(table, table)
    if owner in out_of_service:
        return f"belongs to plugin {owner!r}, which {out_of_service[owner]}"
    return "" if table in PLUGIN_TABLES else may_belong(out_of_service)


def may_belong(out_of_service: Mapping[str, str]) -> str:
    """To which plugins a table that nobody knows may belong, "" when there are none."""
    known = set(PLUGIN_TABLES.values())
    unknown = [f"{name!r}, which {what}" for name, what in out_of_service.items() if name not in known]
    return f"may belong to plugin {', or '.join(unknown)}" if unknown else ""


def install_hint(table: str) -> str:
    """How to get the plugin of a table, "" when it is no official one's."""
    return install_line(PLUGIN_TABLES[table]) if table in PLUGIN_TABLES else ""


def install_line(extra: str) -> str:
    """What to say of something whose plugin is not installed."""
    return f"needs a plugin that is not installed: pip install 'kahi[{extra}]'"
