"""The table of the benchmarks, from a run whose results were kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).resolve().parent.parent / "explanation" / "benchmarks"
"""Where ``python -m benchmarks --output docs/explanation/benchmarks`` writes."""

NOTHING: Final = """\
No results are kept with this version; `make bench` measures on your machine."""


def fragment(results: Path = RESULTS) -> str:
    """The table with what it rests on, or a sentence that there is none."""
    table = results / "table.md"
    return table.read_text(encoding="utf-8").strip() if table.exists() else NOTHING
