"""`kahi version`."""

from __future__ import annotations

import click

from kahi.version import __version__


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(as_json: bool) -> None:
    """Print the version."""
    if as_json:
        import json
        import platform

        click.echo(json.dumps({"version": __version__, "python": platform.python_version()}))
        return
    click.echo(f"kahi {__version__}")
