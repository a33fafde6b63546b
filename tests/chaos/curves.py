"""How memory and descriptors of the daemon went over time, and whether they are flat."""

from __future__ import annotations

import csv
import os
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

WARM_UP = 1 / 3
"""The part of a run that does not count for flatness: caches fill, the allocator settles."""

JUDGED_AFTER = 900.0
"""Seconds; what a shorter run grows by is its warm-up."""

MOST_GROWTH = {"resident": 2 * 2**20, "proportional": 2 * 2**20, "descriptors": 2, "threads": 2}
"""By how much the fitted line may rise between warm-up and end: what comes and goes moves it a little."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon at a moment; sizes in bytes. ``at_peace`` when nothing was going on."""

    seconds: float
    resident: int
    proportional: int
    descriptors: int
    threads: int
    children: int
    at_peace: bool


def sample(pid: int, seconds: float, children: int, *, at_peace: bool) -> Sample:
    """Look at a process."""
    memory = _numbers(Path(f"/proc/{pid}/smaps_rollup"))
    return Sample(
        round(seconds, 2),
        memory.get("Rss", 0) * 1024,
        memory.get("Pss", 0) * 1024,
        len(os.listdir(f"/proc/{pid}/fd")),
        len(os.listdir(f"/proc/{pid}/task")),
        children,
        at_peace,
    )


def _numbers(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def growth(samples: Sequence[Sample], what: str) -> float:
    """By how much a straight line through the samples after the warm-up rises from its begin to its end."""
    end = samples[-1].seconds if samples else 0.0
    chosen = [each for each in samples if each.seconds >= end * WARM_UP]
    if len(chosen) < 3:
        return 0.0
    times = [each.seconds for each in chosen]
    line = statistics.linear_regression(times, [getattr(each, what) for each in chosen])
    return line.slope * (times[-1] - times[0])


def write_csv(path: Path, samples: Sequence[Sample]) -> None:
    """All samples, a line each."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([each.name for each in fields(Sample)])
        writer.writerows(astuple(each) for each in samples)


def table(samples: Sequence[Sample], rows: int = 15) -> list[str]:
    """A table in Markdown of samples at peace, so many of them, evenly over time."""
    chosen = [each for each in samples if each.at_peace]
    step = max(1, (len(chosen) + rows - 1) // rows)
    lines = [
        "| second | resident MiB | proportional MiB | descriptors | threads |",
        "|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {each.seconds:.0f} | {each.resident / 2**20:.1f} | {each.proportional / 2**20:.1f} "
        f"| {each.descriptors} | {each.threads} |"
        for each in chosen[::step]
    ]
    return lines
