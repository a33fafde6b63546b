"""`kahi completion`: scripts that teach a shell to complete `kahi`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    In ~/.bashrc: eval "$(kahi completion bash)"
    """
    from kahi.cli.entry import commands

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(commands, {}, "kahi", "_KAHI_COMPLETE").source())
