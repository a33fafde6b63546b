"""`kahi ctl reread`, `update`, `reload`, `avail`, `add`, `remove`: the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kahi.cli.terminal import printable
from kahi.errors import NoSuchGroup
from kahi_api.ctl.completion import active_groups, configured_groups
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.progress import Count, Moving, progress
from kahi_api.ctl.target import Target

if TYPE_CHECKING:
    from kahi_api.client import Changes


def _report(changes: Changes, *, applied: bool) -> None:
    will = "" if applied else "would be "
    for word, names in (
        ("added", changes.added),
        ("changed", changes.changed),
        ("removed", changes.removed),
    ):
        for name in names:
            click.echo(f"{name}: {will}{word}")
    for name, keys in changes.restarted.items():
        click.echo(f"{name}: {will}restarted, because these changed: {', '.join(keys)}")
    if changes.is_empty:
        click.echo("nothing changed")
    for warning in changes.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


@click.command()
@connection_options
@pass_target
def reread(target: Target) -> None:
    """Show what an update would do, and do nothing."""
    with target.connect() as client:
        _report(client.reread(), applied=False)


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP]...", shell_complete=configured_groups)
@connection_options
@pass_target
def update(target: Target, groups: tuple[str, ...]) -> None:
    """Take over what changed in the configuration. With GROUPs, only what concerns these."""
    chosen = None if not groups or "all" in groups else groups
    with progress(target, Moving("updating")), target.connect() as client:
        changes = client.update(chosen)
    _report(changes, applied=True)


@click.command()
@connection_options
@pass_target
def reload(target: Target) -> None:
    """The same as update without GROUPs."""
    with progress(target, Moving("reloading")), target.connect() as client:
        changes = client.update()
    _report(changes, applied=True)


@click.command()
@connection_options
@pass_target
def avail(target: Target) -> None:
    """Show the groups of the configuration, active or not."""
    with target.connect() as client:
        active = {group.name for group in client.groups()}
        configured = [group["name"] for group in client.config()["groups"]]
    for name in configured:
        click.echo(f"{name}: {'active' if name in active else 'not active'}")


@click.command()
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...", shell_complete=configured_groups)
@connection_options
@pass_target
def add(target: Target, groups: tuple[str, ...]) -> None:
    """Make groups of the configuration active."""
    with target.connect() as client:
        for name in groups:
            client.add_group(name)
            click.echo(f"{name}: added")


@click.command()
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...", shell_complete=active_groups)
@connection_options
@pass_target
def remove(target: Target, groups: tuple[str, ...]) -> None:
    """Stop groups and make them inactive."""
    with target.connect() as client:
        active = {group.name for group in client.groups()}
        for name in groups:
            if name not in active:
                # A pattern would stop what it matches, and nothing is called so.
                raise NoSuchGroup(name)
            members = [f"{name}:*"]
            with progress(target, Count("stop", members)):
                client.act("stop", members)
            client.remove_group(name)
            click.echo(f"{name}: removed")
