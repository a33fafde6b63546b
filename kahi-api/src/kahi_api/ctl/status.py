"""`kahi ctl status`."""

from __future__ import annotations

import click

from kahi.cli.terminal import wants_color
from kahi_api.ctl.answers import show_status
from kahi_api.ctl.completion import targets
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.target import Target


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=targets)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--watch", is_flag=True, help="Go on showing what changes, until q or Ctrl-C.")
@connection_options
@pass_target
@click.pass_context
def status(
    ctx: click.Context, target: Target, names: tuple[str, ...], as_json: bool, no_color: bool, watch: bool
) -> None:
    """Show processes: all, or those that are named.

    NAME is process, group:*, group:process, all, or a glob pattern in quotes. Exits with 3 when one
    of them is not RUNNING (a one-shot that ended well is fine), with 4 when a name is unknown.
    """
    if not watch:
        ctx.exit(show_status(target, names, as_json=as_json, no_color=no_color))
    if as_json:
        raise click.UsageError("--watch and --json exclude each other", ctx)
    from kahi_api.ctl.watch import watch_status

    watch_status(target, names, not no_color and wants_color())
