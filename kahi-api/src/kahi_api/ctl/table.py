"""The table of processes."""

from __future__ import annotations

from collections.abc import Sequence

from kahi.cli.terminal import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

COLORS: Final = {
    "RUNNING": "\x1b[32m",
    "STARTING": "\x1b[33m",
    "BACKOFF": "\x1b[33m",
    "STOPPING": "\x1b[33m",
    "FATAL": "\x1b[31m",
}
RESET: Final = "\x1b[0m"

HEAD: Final = ("NAME", "STATE", "PID", "UPTIME", "DESCRIPTION")


def table(processes: Sequence[dict[str, Any]], *, colored: bool, width: int = 0) -> list[str]:
    """NAME STATE PID UPTIME DESCRIPTION, as wide as need be; cut off at ``width`` unless it is 0."""
    rows = [HEAD, *(_row(process) for process in processes)]
    widths = [max(columns(row[column]) for row in rows) for column in range(4)]
    return [_line(row, widths, colored and number > 0, width) for number, row in enumerate(rows)]


def _row(process: dict[str, Any]) -> tuple[str, str, str, str, str]:
    name, group, pid = process["name"], process["group"], process["pid"]
    return (
        printable(name if group in (name, process.get("program")) else f"{group}:{name}"),
        process["state"],
        str(pid or "-"),
        duration(process["uptime"]) if pid else "-",
        printable(process["description"]),
    )


def _line(row: tuple[str, str, str, str, str], widths: Sequence[int], colored: bool, width: int) -> str:
    *cells, description = row
    padded = [cell + " " * (size - columns(cell)) for cell, size in zip(cells, widths, strict=True)]
    line = "  ".join([*padded, description]).rstrip()
    if width:
        line = cut(line, width)
    if colored and row[1] in COLORS:
        begin = len(padded[0]) + 2
        end = begin + len(row[1])
        line = f"{line[:begin]}{COLORS[row[1]]}{line[begin:end]}{RESET}{line[end:]}"
    return line


def duration(seconds: int) -> str:
    """``1:02:03``, with days in front where there are any."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {clock}" if days else clock


def columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns."""
    if width < 1:
        return ""
    if columns(text) <= width:
        return text
    while columns(text) >= width:
        text = text[: min(len(text) - 1, width - 1)]
    return f"{text}…"
