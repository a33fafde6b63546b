"""`kahi plugins`: what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kahi.plugins import PluginInfo, PluginManager


@click.command()
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(config: str, as_json: bool) -> None:
    """List installed plugins and what they add.

    Those that the configuration disables are not loaded. How the plugins of a running daemon are is
    told by GET /api/v1/version.
    """
    import logging

    # What fails is told here, in one line each.
    logging.getLogger().addHandler(logging.NullHandler())
    found = _discovered(config).list()
    _add_commands(found)
    if as_json:
        import json

        click.echo(json.dumps([info.as_object() for info in found], indent=2))
        return
    if not found:
        click.echo("no plugins are installed")
    for info in found:
        click.echo(_written(info))


def _discovered(config: str) -> PluginManager:
    """The plugins that a daemon with this configuration would have."""
    import os

    from kahi.config.files import read_all
    from kahi.config.loading import disabled_plugins
    from kahi.config.search import find
    from kahi.errors import NoConfigFound
    from kahi.plugins import PluginManager

    manager = PluginManager()
    try:
        disabled = disabled_plugins(read_all(config or find(os.environ), os.environ))
    except NoConfigFound:
        disabled = []
    manager.discover(disabled)
    manager.declare_sections()
    return manager


def _add_commands(found: list[PluginInfo]) -> None:
    """Note the commands of each distribution with its plugin; those of others stand for themselves."""
    from kahi.cli.builtin import CORE
    from kahi.cli.entry import COMMAND_GROUP
    from kahi.entrypoints import entry_points
    from kahi.plugins import PluginInfo

    by_distribution = {info.distribution: info for info in found}
    for entry in entry_points(COMMAND_GROUP):
        info = by_distribution.get(entry.distribution)
        if info is None:
            info = by_distribution[entry.distribution] = PluginInfo(
                entry.distribution, entry.distribution, entry.version
            )
            found.append(info)
        if entry.name in CORE:
            info.reason = info.reason or f"its command {entry.name!r} is one of core, and is not used"
        else:
            info.commands = (*info.commands, entry.name)
    found.sort(key=lambda info: info.name)


def _written(info: PluginInfo) -> str:
    state = f"{info.status}: {info.reason}" if info.reason else info.status
    loaded = f", loaded in {info.load_seconds * 1000:.0f} ms" if info.load_seconds else ""
    lines = [f"{info.name} {info.version} ({info.distribution}): {state}{loaded}"]
    for word, names in (
        ("requires", info.requires),
        ("tables", tuple(f"[{name}]" for name in info.tables)),
        ("commands", info.commands),
        ("hooks", info.hooks),
    ):
        if names:
            lines.append(f"    {word}: {', '.join(names)}")
    return "\n".join(lines)
