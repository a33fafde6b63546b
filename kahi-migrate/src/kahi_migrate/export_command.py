"""`kahi export`."""

from __future__ import annotations

import click


@click.command()
@click.argument("format_name", metavar="FORMAT")
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
@click.option(
    "-o", "--output", default="", metavar="PATH", help="Write to PATH: a file, or a directory for several."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, write nothing.")
@click.option("--strict", is_flag=True, help="Fail when something is lost or changes its meaning.")
@click.option("--image", default="", metavar="IMAGE", help="Container image that holds the programs.")
def export(
    format_name: str, config: str, output: str, force: bool, dry_run: bool, strict: bool, image: str
) -> None:
    """Write programs for an orchestrator.

    FORMAT is kubernetes, nomad, compose, systemd, or what a plugin brings. Values of secrets and of
    environment variables are not written out. What can not be expressed is said on stderr, with
    file and line.
    """
    import os

    from kahi.config.files import read_all
    from kahi.config.loading import disabled_plugins
    from kahi.config.search import find
    from kahi.plugins import PluginManager
    from kahi_migrate.export.reading import read_workloads
    from kahi_migrate.formats import all_formats, named
    from kahi_migrate.output import deliver, refuse_warnings, tell
    from kahi_migrate.target import TargetFormat

    path = os.path.abspath(config) if config else find(os.environ)
    plugins = PluginManager()
    plugins.discover(disabled_plugins(read_all(path, os.environ)))
    plugins.declare_sections()
    chosen = named(all_formats(plugins, "kahi_export_formats", TargetFormat), format_name)
    workloads = read_workloads(path, plugins, os.environ, image)
    files = chosen.write(workloads)
    tell(workloads.notes)
    if strict:
        refuse_warnings(workloads.notes)
    deliver(files, "" if dry_run else output, force=force)
