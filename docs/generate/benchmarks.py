"""The table of the benchmarks, from what `python -m benchmarks` printed when it was last kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from docs.generate.markdown import table

RESULTS: Final = Path(__file__).resolve().parent.parent / "explanation" / "benchmarks.txt"
"""What the program printed; lines that begin with "#" say where and when."""

NOTHING: Final = """\
No results are kept with this version. `make bench` measures them on your machine."""


def fragment() -> str:
    """The table, or a sentence that there is none."""
    if not RESULTS.exists():
        return NOTHING
    return results_table(RESULTS.read_text(encoding="utf-8"))


def results_table(printed: str) -> str:
    """The printed columns as a table, behind what is said about them."""
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    about = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    head, *rows = (_cells(line) for line in lines if not line.startswith("#"))
    complete = [row for row in rows if len(row) == len(head) + 1]
    return "\n".join([*about, "", *table(["measure", *head], complete)])


def _cells(line: str) -> list[str]:
    """The columns of a line, which two blanks or more separate."""
    return re.split(r"\s{2,}", line.strip())
