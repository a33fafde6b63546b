"""`kahi migrate`, alone `kahi-migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kahi.plugins import PluginManager
    from kahi_migrate.migration import Migration

DIFFERENT = 1


@click.command()
@click.argument("file")
@click.option("-o", "--output", default="", metavar="FILE", help="Write to FILE in place of stdout.")
@click.option("--force", is_flag=True, help="Replace FILE when it is there.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, write nothing.")
@click.option("--strict", is_flag=True, help="Fail when something is lost or changes its meaning.")
@click.option(
    "--check",
    "check_it",
    is_flag=True,
    help="Show what runs before and after, process by process, and write nothing; with -o, after is what "
    "stands in FILE. Exits with 1 when something differs.",
)
@click.option(
    "--from", "source_format", default="", metavar="FORMAT", help="What FILE is; mostly told by itself."
)
def migrate(
    file: str,
    output: str,
    force: bool,
    dry_run: bool,
    strict: bool,
    check_it: bool,
    source_format: str,
) -> None:
    """Move a configuration of supervisord to Kahi.

    FILE is read as its own program reads it, with everything it includes. What Kahi can not
    express becomes a comment. Every change of meaning is said on stderr, with file and line.
    """
    import os

    from kahi.plugins import PluginManager
    from kahi_migrate.migration import migrate as run
    from kahi_migrate.output import refuse_warnings, tell
    from kahi_migrate.writing import refuse_existing, write

    if output and not (force or dry_run or check_it):
        refuse_existing(output)
    plugins = PluginManager()
    plugins.discover()
    plugins.declare_sections()
    done = run(file, plugins, os.environ, output=output, source_format=source_format)
    notes = done.draft.sorted_notes()
    tell(notes)
    if check_it:
        _check(done, output if os.path.exists(output) else "", plugins)
        return
    if strict:
        refuse_warnings(notes)
    if output and not dry_run:
        write(output, done.text, force=force, mode=os.stat(file).st_mode & 0o777)
        click.echo(f"wrote {output}")
    else:
        click.echo(done.text, nl=False)


def _check(done: Migration, written: str, plugins: PluginManager) -> None:
    """Print the comparison; ends with an exit code of its own when something differs."""
    from kahi.config.loading import load
    from kahi.errors import KahiError
    from kahi_migrate.comparison import compare, tell

    name = done.source_format.name
    if done.draft.expected is None:
        raise KahiError(f"--check: {name} does not say what it would run")
    if done.draft.unset:
        raise KahiError(
            f"--check needs the variables that are referred to; set {', '.join(sorted(done.draft.unset))}"
        )
    config = load(written, sections=plugins.sections) if written else done.config
    compared = compare(done.draft, config)
    for line in tell(compared, name):
        click.echo(line)
    if any(process.differs for process in compared):
        raise click.exceptions.Exit(DIFFERENT)


def main() -> None:
    """Run `kahi-migrate`."""
    from kahi.cli.entry import run
    from kahi.cli.program import run_program

    run_program(lambda arguments: run(arguments, migrate, "kahi-migrate"))
