"""`kahi ctl health`, `ready`: for whatever asks every few seconds, such as a container's health check."""

from __future__ import annotations

import click

from kahi_api.ctl.answers import show_health, show_ready
from kahi_api.ctl.completion import processes
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.target import Target


@click.command()
@connection_options
@pass_target
@click.pass_context
def health(ctx: click.Context, target: Target) -> None:
    """Print OK when the daemon works. Otherwise print what is wrong, and exit with 1."""
    ctx.exit(show_health(target))


@click.command()
@click.option("--process", "names", metavar="A,B", default="", help="Only these.", shell_complete=processes)
@connection_options
@pass_target
@click.pass_context
def ready(ctx: click.Context, target: Target, names: str) -> None:
    """Print READY when all that starts by itself is up. Otherwise print what is not, and exit with 1."""
    ctx.exit(show_ready(target, [name for name in names.split(",") if name]))
