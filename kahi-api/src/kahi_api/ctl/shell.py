"""`kahi ctl shell`: all commands at a prompt, with history and completion."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

from kahi.cli.completion import FILES, candidates, split_line
from kahi.cli.entry import run
from kahi.cli.lazy import LazyGroup
from kahi.cli.program import guarded
from kahi_api.ctl.group import COMMANDS
from kahi_api.ctl.lines import line_reader
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.target import Target

PROMPT: Final = "kahi> "

LEAVE: Final = ("exit", "quit")


class _Commands(LazyGroup):
    """The commands of `kahi ctl`, for the daemon that the shell was started for."""

    def __init__(self, target: Target) -> None:
        table = {name: place for name, place in COMMANDS.items() if name != "shell"}
        super().__init__("ctl", table=table, add_help_option=False, no_args_is_help=False)
        self._target = target

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """A context in which each command begins with the shell's target, and may name another."""
        return super().make_context(info_name, args, parent, obj=self._target.copy(), **extra)  # type: ignore[arg-type]


@click.command()
@connection_options
@pass_target
def shell(target: Target) -> None:
    """Read these commands at a prompt, until exit or Ctrl-D.

    help lists them, help COMMAND explains one. Where stdin is no terminal, commands are read from it,
    one on each line; # begins a comment.
    """
    target.ask_password()
    commands = _Commands(target)
    if not sys.stdin.isatty():
        sys.exit(_run_all(commands))
    read = line_reader(PROMPT, lambda line: _completions(commands, line))
    while True:
        try:
            line = read()
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            # As in any shell: the line is given up.
            click.echo()
            continue
        words = words_of(line)
        if words and words[0] in LEAVE:
            return
        if words:
            _do(commands, words)


def words_of(line: str) -> list[str]:
    """The words of a line; none of an empty one and of a comment."""
    if not line.strip() or line.lstrip().startswith("#"):
        return []
    words = split_line(line)
    return words[:-1] if words[-1] == "" and line[-1:].isspace() else words


def _run_all(commands: _Commands) -> int:
    """Run each line of stdin; returns the exit code of the last that failed."""
    failed = 0
    for line in sys.stdin:
        words = words_of(line.rstrip("\n"))
        if words and words[0] in LEAVE:
            break
        failed = (_do(commands, words) if words else 0) or failed
    return failed


def _do(commands: _Commands, words: Sequence[str]) -> int:
    if words[0] in ("help", "?"):
        words = [*words[1:2], "--help"] if len(words) > 1 else []
    if not words:
        click.echo(_help(commands))
        return 0
    try:
        return guarded(lambda: run(list(words), commands, "kahi ctl"))
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1


def _help(commands: _Commands) -> str:
    context = click.Context(commands, info_name="")
    formatter = context.make_formatter()
    commands.format_commands(context, formatter)
    return formatter.getvalue().strip("\n") + "\n\nhelp COMMAND explains one; exit or Ctrl-D leaves."


def _completions(commands: _Commands, line: str) -> list[tuple[str, str]]:
    """What the last word of ``line`` may become, with descriptions."""
    *before, unfinished = split_line(line)
    found = candidates(commands, before, unfinished)
    if not before:
        found += [(word, "") for word in ("help", *LEAVE) if word.startswith(unfinished)]
    elif before[0] == "help":
        found = [(name, "") for name in commands.table if name.startswith(unfinished)]
    return [(value, text) for value, text in found if value != FILES]
