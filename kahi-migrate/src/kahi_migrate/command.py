"""`kahi migrate`, alone `kahi-migrate`."""

from __future__ import annotations

import click


@click.command()
@click.argument("file")
@click.option("-o", "--output", default="", metavar="FILE", help="Write to FILE in place of stdout.")
@click.option("--force", is_flag=True, help="Replace FILE when it is there.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, write nothing.")
@click.option("--strict", is_flag=True, help="Fail when something is lost or changes its meaning.")
@click.option("--check", "check_it", is_flag=True, help="Compare what runs before and after; write nothing.")
@click.option("--from", "source_format", default="", metavar="FORMAT", help="What FILE is; default: see.")
def migrate(
    file: str,
    output: str,
    force: bool,
    dry_run: bool,
    strict: bool,
    check_it: bool,
    source_format: str,
) -> None:
    """Make a configuration of Kahi from one of supervisord, or from a Procfile.

    FILE is read as its own program reads it, with everything it includes. What Kahi can not
    express becomes a comment. Every change of meaning is said on stderr, with file and line.
    """
    import os

    from kahi.errors import KahiError
    from kahi.plugins import PluginManager
    from kahi_migrate.migration import migrate as run
    from kahi_migrate.writing import refuse_existing, write

    if output and not (force or dry_run or check_it):
        refuse_existing(output)
    plugins = PluginManager()
    plugins.discover()
    plugins.declare_sections()
    done = run(file, plugins, os.environ, output=output, source_format=source_format)
    notes = done.draft.sorted_notes()
    for note in notes:
        click.echo(str(note), err=True)
    warnings = sum(note.level == "warning" for note in notes)
    if strict and warnings:
        raise KahiError(
            f"--strict: {warnings} {'warning' if warnings == 1 else 'warnings'}, nothing was written"
        )
    if output and not dry_run:
        write(output, done.text, force=force, mode=os.stat(file).st_mode & 0o777)
        click.echo(f"wrote {output}")
    else:
        click.echo(done.text, nl=False)


def main() -> None:
    """Run `kahi-migrate`."""
    from kahi.cli.entry import run
    from kahi.cli.program import run_program

    run_program(lambda arguments: run(arguments, migrate, "kahi-migrate"))
