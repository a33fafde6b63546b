"""Every command with its arguments and options, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Final

import click

from docs.generate.markdown import code, fenced, heading, table
from kahi.cli.entry import commands

HEAD: Final = """\
# Command line

Generated from the commands; `--help` of each says the same. What the programs end with is in [exit
codes](exit-codes.md), how they are used in [operating a daemon](../how-to/operating.md).

Without `-c`, the configuration is `$KAHI_CONFIG`, `./kahi.toml` (as root only when root owns it and the
directory), `/etc/kahi/kahi.toml` or `/etc/kahi.toml`. The socket of `kahi ctl` is `-s`, `$KAHI_SOCKET`, the
one in the configuration, or the default. With `KAHI_DEBUG=1` errors come with a traceback.
"""


def page() -> str:
    """The page."""
    lines = [HEAD, *_command(click.Context(commands, info_name="kahi"))]
    for name, program in _programs():
        lines += [f"`{name}` is a program of its own: {program}", ""]
    return "\n".join(lines)


def _programs() -> Iterator[tuple[str, str]]:
    yield "kahi-migrate", "`kahi migrate` without anything else of Kahi."
    yield "kahi-fips", "`kahi` in [FIPS mode](../how-to/fips.md), whatever a configuration says."


def _command(context: click.Context, above: Sequence[str] = ()) -> Iterator[str]:
    command = context.command
    path = context.command_path
    yield from heading(2 if path.count(" ") < 2 else 3, code(path), path.replace(" ", "-"))
    yield from fenced("text", " ".join([path, *command.collect_usage_pieces(context)]))
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        # A paragraph with this mark in front keeps its lines.
        kept = paragraph.removeprefix("\b\n")
        yield from (paragraph, "") if kept == paragraph else fenced("text", kept)
    own = [option for option in command.params if isinstance(option, click.Option)]
    own = [option for option in own if option.opts[-1] not in above]
    records = [option.get_help_record(context) or ("", "") for option in own]
    yield from table(("option", ""), ((code(names), text) for names, text in records))
    if above:
        yield from (f"And the options of `{context.parent.command_path if context.parent else ''}`.", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            inner = click.Context(found, context, info_name=name)
            yield from _command(inner, [option.opts[-1] for option in own])
