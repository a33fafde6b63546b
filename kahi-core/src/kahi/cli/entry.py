"""The command `kahi`: finds its subcommands when they are asked for, and prints errors as one line."""

from __future__ import annotations

from typing import Final

import click

from kahi.cli.builtin import CORE, OFFICIAL
from kahi.cli.exitcodes import FINE, INTERRUPTED
from kahi.cli.lazy import LazyGroup
from kahi.cli.terminal import printable
from kahi.entrypoints import EntryPoint, entry_points
from kahi.errors import KahiError

COMMAND_GROUP: Final = "kahi.commands"


class MissingCommand(KahiError):
    """A command whose plugin is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} needs a plugin that is not installed: {install_line(OFFICIAL[name])}")


def install_line(extra: str) -> str:
    """The command that brings the plugin of an extra."""
    return f"pip install 'kahi[{extra}]'"


class Commands(LazyGroup):
    """Subcommands of core and of installed plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, those of absent official plugins too."""
        return sorted({*CORE, *OFFICIAL, *(entry.name for entry in entry_points(COMMAND_GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is no such command."""
        if cmd_name in CORE:
            return super().get_command(ctx, cmd_name)
        for entry in entry_points(COMMAND_GROUP):
            if entry.name == cmd_name:
                return _load(entry)
        return _missing(cmd_name) if cmd_name in OFFICIAL else None


def _load(entry: EntryPoint) -> click.Command:
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - boundary: commands of plugins
        return _broken(entry.name, str(error) if isinstance(error, ImportError) else repr(error))


def _broken(name: str, reason: str) -> click.Command:
    """Stands in for the command of a plugin that can not be imported."""

    @click.command(
        name, help=f"Cannot be loaded: {reason}", context_settings={"ignore_unknown_options": True}
    )
    @click.argument("_rest", nargs=-1, type=click.UNPROCESSED)
    def broken(_rest: tuple[str, ...]) -> None:
        raise KahiError(f"{name} cannot be loaded: {reason}")

    return broken


def _missing(name: str) -> click.Command:
    """Stands in for a command of an official plugin that is not installed."""

    @click.command(
        name,
        help=f"Not installed: {install_line(OFFICIAL[name])}",
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
    )
    @click.argument("_rest", nargs=-1, type=click.UNPROCESSED)
    def missing(_rest: tuple[str, ...]) -> None:
        raise MissingCommand(name)

    return missing


@click.group(
    cls=Commands,
    table=CORE,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Keep the programs of a machine or container running."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: list[str], group: click.Command = commands, name: str = "kahi") -> int:
    """Run one command line; a mistake in it is printed as one line. Returns the exit code.

    Args:
        group: what knows the commands.
        name: how it is called in help and errors.
    """
    try:
        with group.make_context(name, list(arguments)) as ctx:
            group.invoke(ctx)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        from kahi.cli.usage import explain, is_call_for_help

        if is_call_for_help(error):
            click.echo(error.format_message())
            return FINE

        click.echo(printable(explain(error)), err=True)
        return error.exit_code
    return FINE
