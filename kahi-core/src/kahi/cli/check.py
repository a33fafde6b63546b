"""`kahi check`: what the daemon would say to a configuration."""

from __future__ import annotations

import click

from kahi.errors import KahiError


@click.command()
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
@click.option("--print", "print_it", is_flag=True, help="Print what is in force, without secrets, as JSON.")
@click.option("--schema", is_flag=True, help="Print a JSON Schema of the configuration, for editors.")
def check(config: str, print_it: bool, schema: bool) -> None:
    """Check a configuration as the daemon would.

    Reads everything it includes. Prints every problem with its file and line; exits with 1 when there is one.
    """
    import json

    if schema:
        from kahi.config.schema import json_schema
        from kahi.plugins import PluginManager

        plugins = PluginManager()
        plugins.discover()
        click.echo(json.dumps(json_schema(plugins.declare_sections()), indent=2))
        return
    from kahi.daemon.startup import load_everything

    loaded = load_everything(config)
    for warning in loaded.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    failed = [info for info in loaded.plugins.list() if info.status == "failed"]
    if failed:
        raise KahiError("; ".join(f"plugin {info.name} failed: {info.reason}" for info in failed))
    if print_it:
        from kahi.config.resolved import resolved

        click.echo(json.dumps(resolved(loaded.config), indent=2))
        return
    processes = sum(len(group.processes) for group in loaded.config.groups.values())
    click.echo(f"{loaded.config.path}: fine, {processes} {'process' if processes == 1 else 'processes'}")
