"""`kahi ctl status`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import click

from kahi_api.ctl.target import Target, connection_options, pass_target

NOT_RUNNING: Final = 3
UNKNOWN_NAME: Final = 4

COLORS: Final = {
    "RUNNING": "green",
    "STARTING": "yellow",
    "BACKOFF": "yellow",
    "STOPPING": "yellow",
    "FATAL": "red",
}


@click.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--no-color", is_flag=True, help="No colours.")
@connection_options
@pass_target
def status(target: Target, names: tuple[str, ...], as_json: bool, no_color: bool) -> None:
    """Show processes: all, or NAMES (process, group:*, group:process, glob patterns).

    Exits with 3 when one is not RUNNING, with 4 when a name is unknown.
    """
    import os

    with target.connect() as client:
        processes = client.raw_processes()
    shown, unknown = choose(processes, names)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    elif shown:
        plain = no_color or bool(os.environ.get("NO_COLOR"))
        click.echo(table(shown, colored=not plain), color=False if plain else None)
    elif not names:
        click.echo("no processes are configured")
    for name in unknown:
        click.echo(f"kahi: no such process: {name}", err=True)
    sys.exit(UNKNOWN_NAME if unknown else 0 if all(map(is_fine, shown)) else NOT_RUNNING)


def choose(
    processes: Sequence[dict[str, Any]], names: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Those of ``processes`` that ``names`` stand for, and the names that stand for none."""
    if not names or "all" in names:
        return list(processes), []
    wanted: set[str] = set()
    unknown: list[str] = []
    for name in names:
        found = {p["name"] for p in processes if _is_meant(p, name)}
        wanted |= found
        if not found:
            unknown.append(name)
    return [process for process in processes if process["name"] in wanted], unknown


def _is_meant(process: dict[str, Any], name: str) -> bool:
    group, colon, pattern = name.rpartition(":")
    return fnmatchcase(process["name"], pattern) and (not colon or fnmatchcase(process["group"], group))


def is_fine(process: dict[str, Any]) -> bool:
    """Whether a process is as it should be: running, or a one-shot that ended well."""
    if process["state"] == "RUNNING":
        return True
    return bool(process["state"] == "EXITED" and process["oneshot"] and process["expected_exit"])


def table(processes: Sequence[dict[str, Any]], *, colored: bool) -> str:
    """NAME STATE PID UPTIME DESCRIPTION, as wide as need be."""
    rows = [("NAME", "STATE", "PID", "UPTIME", "DESCRIPTION")]
    rows += [
        (
            printable(p["name"] if p["group"] in (p["name"], p["program"]) else f"{p['group']}:{p['name']}"),
            p["state"],
            str(p["pid"] or "-"),
            duration(p["uptime"]) if p["pid"] else "-",
            printable(p["description"]),
        )
        for p in processes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines: list[str] = []
    for index, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        if colored and index and row[1] in COLORS:
            cells[1] = click.style(cells[1], fg=COLORS[row[1]])
        lines.append("  ".join([*cells, row[4]]).rstrip())
    return "\n".join(lines)


def duration(seconds: int) -> str:
    """``1:02:03``, with days in front where there are any."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {clock}" if days else clock


def printable(text: str) -> str:
    """``text`` without anything that a terminal would act on."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
