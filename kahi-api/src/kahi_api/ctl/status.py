"""`kahi ctl status`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import click

from kahi.cli.terminal import complain, wants_color
from kahi_api.ctl.completion import targets
from kahi_api.ctl.table import table
from kahi_api.ctl.target import Target, connection_options, pass_target

NOT_RUNNING: Final = 3
UNKNOWN_NAME: Final = 4


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=targets)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--watch", is_flag=True, help="Go on showing what changes, until q or Ctrl-C.")
@connection_options
@pass_target
@click.pass_context
def status(
    ctx: click.Context, target: Target, names: tuple[str, ...], as_json: bool, no_color: bool, watch: bool
) -> None:
    """Show processes: all, or those that are named.

    NAME is process, group:*, group:process, all, or a glob pattern in quotes. Exits with 3 when one
    of them is not RUNNING (a one-shot that ended well is fine), with 4 when a name is unknown.
    """
    colored = not no_color and wants_color()
    if watch:
        if as_json:
            raise click.UsageError("--watch and --json exclude each other", ctx)
        from kahi_api.ctl.watch import watch_status

        watch_status(target, names, colored)
        return
    with target.connect() as client:
        processes = client.raw_processes()
    shown, unknown = choose(processes, names)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    elif shown:
        click.echo("\n".join(table(shown, colored=colored)), color=colored)
    elif not names:
        click.echo("no processes are configured")
    for name in unknown:
        complain(f"no such process: {name}")
    if unknown or not all(map(is_fine, shown)):
        ctx.exit(UNKNOWN_NAME if unknown else NOT_RUNNING)


def choose(
    processes: Sequence[dict[str, Any]], names: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Those of ``processes`` that ``names`` stand for, and the names that stand for none."""
    if not names:
        return list(processes), []
    wanted: set[str] = set()
    unknown: list[str] = []
    for name in names:
        found = {p["name"] for p in processes if name == "all" or _is_meant(p, name)}
        wanted |= found
        if not found and name != "all":
            unknown.append(name)
    return [process for process in processes if process["name"] in wanted], unknown


def _is_meant(process: dict[str, Any], name: str) -> bool:
    group, colon, pattern = name.rpartition(":")
    return _fits(process["name"], pattern) and (not colon or _fits(process["group"], group))


def _fits(name: str, pattern: str) -> bool:
    if name == pattern:
        return True
    if "*" not in pattern and "?" not in pattern and "[" not in pattern:
        return False
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def is_fine(process: dict[str, Any]) -> bool:
    """Whether a process is as it should be: running, or a one-shot that ended well."""
    if process["state"] == "RUNNING":
        return True
    return bool(process["state"] == "EXITED" and process.get("oneshot") and process.get("expected_exit"))
