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

        from kahi.build import build
        from kahi.plugins import PluginManager

        plugins = PluginManager()
        plugins.discover()
        told = {
            "version": __version__,
            **build()._asdict(),
            "python": platform.python_version(),
            "fips": {"mode": "off"},
        }
        click.echo(json.dumps(told | plugins.version_details(None)))
        return
    click.echo(f"kahi {__version__}")
