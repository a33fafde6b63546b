"""`kahi init`: a configuration to begin with."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("-o", "--output", default="", metavar="FILE", help="Write to FILE in place of stdout.")
@click.option("--force", is_flag=True, help="Replace FILE when it is there.")
def init(output: str, force: bool) -> None:
    """Print a sample configuration. It has every key, its default and what it means."""
    from kahi.config.sample import sample
    from kahi.errors import KahiError
    from kahi.plugins import PluginManager

    plugins = PluginManager()
    plugins.discover()
    text = sample(plugins.declare_sections())
    if not output:
        click.echo(text, nl=False)
        return
    try:
        with Path(output).open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise KahiError(f"{output} is there already (--force replaces it)") from None
    except OSError as error:
        raise KahiError(f"cannot write {output}: {error.strerror}") from None
    click.echo(f"wrote {output}")
