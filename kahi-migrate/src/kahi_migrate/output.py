"""What the commands print and write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import click

from kahi.errors import KahiError
from kahi_migrate.draft import Note
from kahi_migrate.target import Output
from kahi_migrate.writing import refuse_existing, write

FILE_MODE = 0o644


def tell(notes: Iterable[Note]) -> None:
    """Print notes on stderr."""
    for note in notes:
        click.echo(str(note), err=True)


def refuse_warnings(notes: Iterable[Note]) -> None:
    """Raises KahiError when there is a warning among the notes."""
    count = sum(note.level == "warning" for note in notes)
    if count:
        raise KahiError(f"--strict: {count} warning{'' if count == 1 else 's'}, nothing was written")


def deliver(files: Sequence[Output], path: str, *, force: bool) -> None:
    """Write files, or print them.

    Args:
        path: "" prints; else where the only file, or the directory of several, goes.

    Raises:
        KahiError: something is there already; then nothing was written.
    """
    if not path:
        for file in files:
            if len(files) > 1:
                click.echo(f"# {file.name}")
            click.echo(file.text)
        return
    is_directory = len(files) > 1 or os.path.isdir(path)
    targets = [(os.path.join(path, file.name) if is_directory else path, file.text) for file in files]
    for target, _ in targets if not force else ():
        refuse_existing(target)
    if is_directory:
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise KahiError(f"cannot make {path}: {os.strerror(error.errno or 0)}") from None
    for target, text in targets:
        write(target, text, force=force, mode=FILE_MODE)
        click.echo(f"wrote {target}")
