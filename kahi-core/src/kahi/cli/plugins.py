"""`kahi plugins`: what is installed."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """List installed plugins. Tells what they add and how they are."""
    from kahi.plugins import PluginManager

    manager = PluginManager()
    manager.discover()
    manager.declare_sections()
    if as_json:
        import dataclasses
        import json

        click.echo(json.dumps([dataclasses.asdict(info) for info in manager.list()], indent=2))
        return
    if not manager.list():
        click.echo("no plugins are installed")
    for info in manager.list():
        state = info.status if not info.reason else f"{info.status}: {info.reason}"
        tables = ", ".join(f"[{name}]" for name in info.tables)
        click.echo(f"{info.name:<12} {info.version:<10} {info.distribution:<16} {state:<8} {tables}".rstrip())
