"""`kahi ctl health`, `ready`: for whatever asks every few seconds, such as a container's health check."""

from __future__ import annotations

from typing import Final

import click

from kahi_api.ctl.completion import processes
from kahi_api.ctl.target import Target, connection_options, pass_target

PATIENCE: Final = 10.0
"""Seconds that the daemon has to answer."""


@click.command()
@connection_options
@pass_target
@click.pass_context
def health(ctx: click.Context, target: Target) -> None:
    """Print OK when the daemon works; otherwise what is wrong, and exit with 1."""
    with target.connect(wait=PATIENCE) as client:
        status = client.health()
    click.echo(status.upper().replace("_", " "))
    if status != "ok":
        ctx.exit(1)


@click.command()
@click.option("--process", "names", metavar="A,B", default="", help="Only these.", shell_complete=processes)
@connection_options
@pass_target
@click.pass_context
def ready(ctx: click.Context, target: Target, names: str) -> None:
    """Print READY when all that starts by itself is up; otherwise what is not, and exit with 1."""
    with target.connect(wait=PATIENCE) as client:
        readiness = client.ready([name for name in names.split(",") if name])
        if readiness.ready:
            click.echo("READY")
            return
        states = {process["name"]: process["state"] for process in client.raw_processes()}
    waiting = [*readiness.failing, *readiness.pending]
    click.echo("NOT READY: " + ", ".join(f"{name} ({states.get(name, 'UNKNOWN')})" for name in waiting))
    ctx.exit(1)
