"""`kahi ctl pid`, `version`, `shutdown`: the daemon itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from kahi.errors import KahiError
from kahi_api.client import ApiError, CannotConnect, ConnectionLost
from kahi_api.ctl.completion import targets
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.progress import Left, progress
from kahi_api.ctl.selection import choose
from kahi_api.ctl.target import Target

if TYPE_CHECKING:
    from kahi_api.client import Client

LOOK_AGAIN: Final = 0.05
"""Seconds between two looks at whether the daemon is gone."""


@click.command()
@click.argument("name", required=False, default="", metavar="[NAME|all]", shell_complete=targets)
@connection_options
@pass_target
def pid(target: Target, name: str) -> None:
    """Print the pid of the daemon, or of processes. Of several, 0 stands for one that does not run."""
    with target.connect() as client:
        if not name:
            click.echo(client.version().pid)
            return
        chosen, unknown = choose(client.raw_processes(), [name])
    if unknown:
        raise KahiError(f"no such process: {name}")
    if len(chosen) == 1 and chosen[0]["name"] == name and not chosen[0]["pid"]:
        raise KahiError(f"{name}: not running")
    for process in chosen:
        click.echo(process["pid"])


@click.command()
@connection_options
@pass_target
def version(target: Target) -> None:
    """Print the daemon's version."""
    with target.connect() as client:
        click.echo(client.version().version)


@click.command()
@click.option("--no-wait", is_flag=True, help="Do not wait until the daemon is gone.")
@connection_options
@pass_target
def shutdown(target: Target, no_wait: bool) -> None:
    """Stop all processes in order and end the daemon. Returns when it is gone."""
    with target.connect() as client:
        pid = client.version().pid
        _ask(client)
    if no_wait:
        click.echo("shutting down")
        return
    with progress(target, Left()):
        while _answers(target, pid) or (not target.addr and _lives(pid)):
            time.sleep(LOOK_AGAIN)
    click.echo("shut down")


def _ask(client: Client) -> None:
    try:
        client.shutdown()
    except ApiError as error:
        # It is on its way down already, which is what was asked for.
        if error.status != 503:
            raise


def _answers(target: Target, pid: int) -> bool:
    """Whether the same daemon still answers, and not one that was started in its place."""
    try:
        with target.connect(wait=5.0) as client:
            return client.version().pid == pid
    except (CannotConnect, ConnectionLost):
        return False


def _lives(pid: int) -> bool:
    """Whether the daemon's process is there; false also where it can not be seen from here."""
    import os

    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    return text[text.rfind(")") + 2 :][:1]
