"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, and an empty one behind it; none at all without rows."""
    lines = [_row(row) for row in rows]
    if lines:
        yield from (_row(head), "|" + "---|" * len(head), *lines, "")


def code(text: str) -> str:
    """``text`` as code within a line."""
    mark = "``" if "`" in text else "`"
    return f"{mark}{text}{mark}"


def fenced(language: str, text: str) -> Iterator[str]:
    """The lines of a block of code, and an empty one behind it."""
    yield from (f"```{language}", text.rstrip("\n"), "```", "")


def heading(level: int, text: str, anchor: str) -> Iterator[str]:
    """A heading that links can name by ``anchor``, whatever its text is."""
    yield from (f"{'#' * level} {text} {{ #{anchor} }}", "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"
