"""`kahi ctl reread`, `update`, `reload`, `avail`, `add`, `remove`: the configuration."""

from __future__ import annotations

from typing import Any

import click

from kahi_api.ctl.target import Target, connection_options, pass_target


def _report(answer: dict[str, Any], *, applied: bool) -> None:
    for word in ("added", "changed", "removed"):
        for name in answer[word]:
            click.echo(f"{name}: {word if applied else _future(word)}")
    for name, keys in answer.get("restarted", {}).items():
        what = "restarted" if applied else "would be restarted"
        click.echo(f"{name}: {what}, because these changed: {', '.join(keys)}")
    if not any(answer[word] for word in ("added", "changed", "removed")):
        click.echo("nothing changed")
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)


def _future(word: str) -> str:
    return f"would be {word}"


@click.command()
@connection_options
@pass_target
def reread(target: Target) -> None:
    """Show what an update would do, and do nothing."""
    with target.connect() as client:
        _report(client.reread(), applied=False)


@click.command()
@click.argument("groups", nargs=-1)
@connection_options
@pass_target
def update(target: Target, groups: tuple[str, ...]) -> None:
    """Take over what changed in the configuration, or only what concerns GROUPS."""
    chosen = None if not groups or "all" in groups else groups
    with target.connect() as client:
        _report(client.update(chosen), applied=True)


@click.command()
@connection_options
@pass_target
def reload(target: Target) -> None:
    """Take over what changed in the configuration."""
    with target.connect() as client:
        _report(client.update(), applied=True)


@click.command()
@connection_options
@pass_target
def avail(target: Target) -> None:
    """Show the groups of the configuration, and whether they are active."""
    with target.connect() as client:
        active = {group["name"] for group in client.groups()}
        configured = [group["name"] for group in client.config()["groups"]]
    for name in configured:
        click.echo(f"{name}: {'active' if name in active else 'not active'}")


@click.command()
@click.argument("groups", nargs=-1, required=True)
@connection_options
@pass_target
def add(target: Target, groups: tuple[str, ...]) -> None:
    """Make groups of the configuration active."""
    with target.connect() as client:
        for name in groups:
            client.add_group(name)
            click.echo(f"{name}: added")


@click.command()
@click.argument("groups", nargs=-1, required=True)
@connection_options
@pass_target
def remove(target: Target, groups: tuple[str, ...]) -> None:
    """Stop groups and make them inactive."""
    with target.connect() as client:
        for name in groups:
            client.act("stop", [f"{name}:*"])
            client.remove_group(name)
            click.echo(f"{name}: removed")
