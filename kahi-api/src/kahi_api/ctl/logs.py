"""`kahi ctl clear`, `reopen`: log files."""

from __future__ import annotations

import click

from kahi_api.ctl.completion import targets
from kahi_api.ctl.operate import report
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.target import Target


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=targets)
@connection_options
@pass_target
@click.pass_context
def clear(ctx: click.Context, target: Target, names: tuple[str, ...]) -> None:
    """Empty the logs of processes.

    NAME is process, group:*, group:process, all, or a glob pattern in quotes.
    """
    with target.connect() as client:
        report(ctx, client.act("clear", names), "cleared")


@click.command()
@connection_options
@pass_target
def reopen(target: Target) -> None:
    """Open all log files anew, as after somebody moved them."""
    with target.connect() as client:
        client.reopen_logs()
    click.echo("log files opened anew")
