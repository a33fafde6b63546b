"""`kahi ctl version`, `shutdown`: the daemon itself."""

from __future__ import annotations

import time

import click

from kahi_api.client import CannotConnect, ConnectionLost
from kahi_api.ctl.target import Target, connection_options, pass_target

LOOK_AGAIN = 0.05
"""Seconds between two looks at whether the daemon is gone."""


@click.command()
@connection_options
@pass_target
def version(target: Target) -> None:
    """Print the daemon's version."""
    with target.connect() as client:
        click.echo(client.version()["version"])


@click.command()
@click.option("--no-wait", is_flag=True, help="Do not wait until the daemon is gone.")
@connection_options
@pass_target
def shutdown(target: Target, no_wait: bool) -> None:
    """Stop all processes in order and end the daemon; returns when it is gone."""
    with target.connect() as client:
        pid: int = client.version()["pid"]
        client.shutdown()
        if no_wait:
            click.echo("shutting down")
            return
        while _answers(target) or _lives(pid):
            time.sleep(LOOK_AGAIN)
    click.echo("shut down")


def _answers(target: Target) -> bool:
    try:
        with target.connect(wait=5.0) as client:
            client.health()
    except (CannotConnect, ConnectionLost):
        return False
    return True


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
