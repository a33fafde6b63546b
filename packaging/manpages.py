"""Write the man pages of all commands, from what their ``--help`` is made of.

    python packaging/manpages.py DIRECTORY

A page lies below the name of the distribution whose command it explains, because that is what brings it:
``kahi-api/kahi-ctl-status.1``.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from kahi.build import build
from kahi.cli.builtin import CORE
from kahi.cli.entry import COMMAND_GROUP, commands
from kahi.cli.exitcodes import MEANINGS, NOT_RUNNING, UNKNOWN_NAME
from kahi.entrypoints import entry_points
from kahi.version import __version__

TITLES: Final = {
    "kahi-fips": (
        "kahi-fips",
        "kahi that refuses to run without OpenSSL's FIPS provider",
        "[OPTIONS] [COMMAND] [ARGS]...",
        "Checks that this Python computes with the FIPS provider, and is kahi(1) then.",
    )
}
"""Programs that have no command line of their own, by distribution."""

OF_STATUS: Final = (NOT_RUNNING, UNKNOWN_NAME)
"""Exit codes that are told on the pages of `kahi ctl status` and of everything above it."""


def pages() -> Iterator[tuple[str, str, str]]:
    """Distribution, name and text of every page."""
    owners = {entry.name: entry.distribution for entry in entry_points(COMMAND_GROUP)}
    root = click.Context(commands, info_name="kahi", **commands.context_settings)
    yield "kahi-core", "kahi", page(root)
    for name in (*CORE, *sorted(owners)):
        command = commands.get_command(root, name)
        assert command is not None
        for ctx in _with_subcommands(click.Context(command, root, name)):
            yield owners.get(name, "kahi-core"), ctx.command_path.replace(" ", "-"), page(ctx)
    for distribution, (name, summary, synopsis, description) in TITLES.items():
        lines = _head(name, summary, synopsis)
        yield (
            distribution,
            name,
            "\n".join([*lines, ".SH DESCRIPTION", escape(description), *_foot(name, "kahi")]),
        )


def _with_subcommands(ctx: click.Context) -> Iterator[click.Context]:
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            command = ctx.command.get_command(ctx, name)
            assert command is not None
            yield from _with_subcommands(click.Context(command, ctx, name))


def page(ctx: click.Context) -> str:
    """One page."""
    command = ctx.command
    name = ctx.command_path.replace(" ", "-")
    summary = command.get_short_help_str(200).rstrip(".")
    lines = _head(name, summary, " ".join(command.collect_usage_pieces(ctx)), ctx.command_path)
    lines += [".SH DESCRIPTION", *_paragraphs(command.help or "")]
    options = [record for each in command.get_params(ctx) if (record := each.get_help_record(ctx))]
    if options:
        lines.append(".SH OPTIONS")
        for term, text in options:
            if text:
                lines += _item(term, text)
    see = [ctx.parent.command_path] if ctx.parent is not None else []
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for subcommand in command.list_commands(ctx):
            found = command.get_command(ctx, subcommand)
            assert found is not None
            lines += _item(subcommand, found.get_short_help_str(200))
            see.append(f"{ctx.command_path} {subcommand}")
    return "\n".join([*lines, *_foot(name, *see)])


def _head(name: str, summary: str, synopsis: str, path: str = "") -> list[str]:
    return [
        f'.TH "{escape(name).upper()}" "1" "{build().date[:10]}" "Kahi {__version__}" "Kahi"',
        ".SH NAME",
        f"{escape(name)} \\- {escape(summary[:1].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        f".B {escape(path or name)}",
        escape(synopsis),
    ]


def _foot(name: str, *see: str) -> list[str]:
    lines = [".SH EXIT STATUS"]
    for code, meaning in MEANINGS.items():
        if code not in OF_STATUS or "kahi-ctl-status".startswith(name):
            lines += _item(str(code), meaning.replace("`", ""))
    references = [f".BR {escape(name.replace(' ', '-'))} (1)" for name in see]
    lines.append(".SH SEE ALSO")
    lines += [f"{reference} ," for reference in references[:-1]] + references[-1:]
    return [line.replace("(1) ,", "(1),") for line in lines] + [""]


def _item(term: str, text: str) -> list[str]:
    return [".TP", f"\\fB{escape(term)}\\fR", escape(" ".join(text.split()))]


def _paragraphs(text: str) -> Iterator[str]:
    """Of click's help; what follows a backspace keeps its lines."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if number:
            yield ".PP"
        if paragraph.startswith("\b\n"):
            yield ".nf"
            yield from map(escape, paragraph.splitlines()[1:])
            yield ".fi"
        else:
            yield escape(" ".join(paragraph.split()))


def escape(text: str) -> str:
    """Text as roff reads it."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main() -> None:
    """Write all pages."""
    parser = argparse.ArgumentParser(description="Write the man pages of all commands.")
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    for distribution, name, text in pages():
        folder = directory / distribution
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.1").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
