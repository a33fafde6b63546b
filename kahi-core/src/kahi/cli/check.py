"""`kahi check`: what the daemon would say to a configuration."""

from __future__ import annotations

import click


@click.command()
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
def check(config: str) -> None:
    """Check a configuration, with everything it includes, as the daemon would.

    Prints every problem with its file and line; exits with 1 when there is one.
    """
    from kahi.daemon.startup import load_everything

    loaded = load_everything(config)
    for warning in loaded.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    processes = sum(len(group.processes) for group in loaded.config.groups.values())
    click.echo(f"{loaded.config.path}: fine, {processes} {'process' if processes == 1 else 'processes'}")
