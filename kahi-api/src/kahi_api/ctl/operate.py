"""`kahi ctl start`, `stop`, `restart`."""

from __future__ import annotations

import sys

import click

from kahi_api.ctl.target import Target, connection_options, pass_target

DONE = {"start": "started", "stop": "stopped", "restart": "restarted"}
ASKED = {"start": "starting", "stop": "stopping", "restart": "restarting"}


def _operation(action: str, explanation: str) -> click.Command:
    @click.command(action, help=explanation)
    @click.argument("names", nargs=-1, required=True)
    @click.option("--no-wait", is_flag=True, help="Do not wait for the result.")
    @connection_options
    @pass_target
    def command(target: Target, names: tuple[str, ...], no_wait: bool) -> None:
        with target.connect() as client:
            results = client.act(action, names, wait=not no_wait)
        for result in results:
            word = (ASKED if no_wait else DONE)[action]
            click.echo(f"{result.name}: {word}" if result.ok else f"{result.name}: ERROR ({result.error})")
        sys.exit(0 if all(result.ok for result in results) else 1)

    return command


_NAMES = "NAMES are process, group:*, group:process, all, or glob patterns in quotes."

start = _operation("start", f"Start processes.\n\n{_NAMES}")
stop = _operation("stop", f"Stop processes.\n\n{_NAMES}")
restart = _operation("restart", f"Stop and start processes; those that do not run are started.\n\n{_NAMES}")
