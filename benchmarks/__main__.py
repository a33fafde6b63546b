"""Measure everything, or what is named, and print a table."""

from __future__ import annotations

import statistics
import sys

from benchmarks import loads, measures
from benchmarks.subjects import SUBJECTS

MEASURES = {
    "start": measures.start,
    "many": measures.many,
    "restart": measures.restart,
    "idle": measures.idle,
    "status": measures.status,
    "logs": loads.logs,
    "flood": loads.flood,
}

ROUNDS = {"logs": 5}
"""Measures that are taken several times, the subjects by turns, because speed changes with the weather."""


def main() -> None:
    """Run the measures that the command line names, all by default."""
    chosen = sys.argv[1:] or list(MEASURES)
    unknown = [name for name in chosen if name not in MEASURES]
    if unknown:
        raise SystemExit(f"no such measure: {', '.join(unknown)} (there are: {', '.join(MEASURES)})")
    print(f"{'':44}" + "".join(f"{subject.name:>14}" for subject in SUBJECTS) + f"{'ratio':>9}")
    for name in chosen:
        found = _medians(name)
        for key in found[0]:
            values = [figures[key] for figures in found]
            ratio = f"{values[0] / values[1]:9.3f}" if values[1] else f"{'-':>9}"
            print(
                f"{key:44}" + "".join(f"{_written(key, value):>14}" for value in values) + ratio, flush=True
            )


def _medians(name: str) -> list[dict[str, float]]:
    """The figures of each subject."""
    rounds = [[MEASURES[name](subject) for subject in SUBJECTS] for _ in range(ROUNDS.get(name, 1))]
    return [
        {key: statistics.median(figures[key] for figures in of_one) for key in of_one[0]}
        for of_one in zip(*rounds, strict=True)
    ]


def _written(key: str, value: float) -> str:
    if "switches" in key or "MB/s" in key:
        return f"{value:.0f}"
    if "CPU s/GB" in key:
        return f"{value:.2f}"
    return f"{value:.1f}" if "MiB" in key else f"{value * 1000:.1f} ms"


if __name__ == "__main__":
    main()
