"""`kahi ctl start`, `stop`, `restart`, `signal`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from kahi.cli.exitcodes import FAILED
from kahi.cli.terminal import printable
from kahi_api.ctl.completion import signals, targets
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.progress import Count, progress
from kahi_api.ctl.target import Target

if TYPE_CHECKING:
    from kahi_api.client import Result

DONE = {"start": "started", "stop": "stopped", "restart": "restarted"}
ASKED = {"start": "starting", "stop": "stopping", "restart": "restarting"}

_NAME = "NAME is process, group:*, group:process, all, or a glob pattern in quotes."


def report(ctx: click.Context, results: Iterable[Result], word: str) -> None:
    """Print what became of each process; ends with exit code 1 when something failed."""
    failed = False
    for result in results:
        failed = failed or not result.ok
        click.echo(f"{result.name}: {word if result.ok else f'ERROR ({printable(result.error)})'}")
    if failed:
        ctx.exit(FAILED)


def _operation(action: str, explanation: str) -> click.Command:
    @click.command(action, help=f"{explanation}\n\n{_NAME}")
    @click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=targets)
    @click.option("--no-wait", is_flag=True, help="Do not wait for the result.")
    @connection_options
    @pass_target
    @click.pass_context
    def command(ctx: click.Context, target: Target, names: tuple[str, ...], no_wait: bool) -> None:
        if no_wait:
            with target.connect() as client:
                results = client.act(action, names, wait=False)
        else:
            with progress(target, Count(action, names)), target.connect() as client:
                results = client.act(action, names)
        report(ctx, results, (ASKED if no_wait else DONE)[action])

    return command


start = _operation("start", "Start processes.")
stop = _operation("stop", "Stop processes.")
restart = _operation("restart", "Stop and start processes; those that do not run are started.")


@click.command(help=f"Send a signal to processes, by its name or number.\n\n{_NAME}")
@click.argument("sig", metavar="SIG", shell_complete=signals)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=targets)
@connection_options
@pass_target
@click.pass_context
def signal(ctx: click.Context, target: Target, sig: str, names: tuple[str, ...]) -> None:
    """Send a signal to processes."""
    with target.connect() as client:
        report(ctx, client.act("signal", names, signal=sig), "signalled")
