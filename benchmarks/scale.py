"""How each cost grows: with programs, log volume, readers and events (``python -m benchmarks scale``)."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.figures import fit
from benchmarks.measures import crowd, fanout, logging, streaming
from benchmarks.rows import COUNT, KIB, MIB, MS, SECONDS, Unit
from benchmarks.subjects import Subject
from benchmarks.workshop import Workshop

MICROSECONDS = Unit("µs", 1e6)
PROGRAMS = "programs"
DESCRIPTORS = 65536
"""That the run tries to be allowed."""
RESERVE = 1000
"""Descriptors for everything but programs."""


@dataclass(frozen=True)
class Cost:
    """One thing that grows.

    Args:
        key: what the measure calls it.
        each: the unit in which one more costs something.
    """

    key: str
    title: str
    unit: Unit
    each: Unit


@dataclass(frozen=True)
class Sweep:
    """The same measure for several counts of something.

    Args:
        take: takes it for one count.
    """

    what: str
    counts: tuple[int, ...]
    take: Callable[[Subject, Workshop, int], Mapping[str, float]]
    costs: tuple[Cost, ...]


def _programs(subject: Subject, workshop: Workshop, count: int) -> dict[str, float]:
    found = crowd.crowd_of(count)(subject, workshop)
    return {key.removesuffix(f" of {count}"): value for key, value in found.items()}


def _megabytes(name: str, size: int) -> Callable[[Subject, Workshop, int], dict[str, float]]:
    def take(subject: Subject, workshop: Workshop, count: int) -> dict[str, float]:
        return logging.print_all(subject, workshop, name, 1, size, count * logging.MEGABYTE)

    return take


SWEEPS: tuple[Sweep, ...] = (
    Sweep(
        PROGRAMS,
        (10, 100, 1000, 5000),
        _programs,
        (
            Cost("start", "start: exec → all running", SECONDS, MS),
            Cost("stop", "stop: signal → all gone", MS, MICROSECONDS),
            Cost("gone", "stop: signal → daemon gone", MS, MICROSECONDS),
            Cost("memory", "memory", MIB, KIB),
            Cost("descriptors", "descriptors", COUNT, Unit("", 1, 2)),
            Cost("status", "status over the socket", MS, MICROSECONDS),
            Cost("status size", "status: size of the answer", KIB, Unit("B")),
            Cost("CPU of ctl status", "`ctl status`: its CPU", MS, MICROSECONDS),
            Cost("reload", "reload, nothing changed", MS, MICROSECONDS),
        ),
    ),
    Sweep(
        "MB of output in 64 KiB writes",
        (500, 1000, 2000, 4000),
        _megabytes("64 KiB", 64 * 1024),
        (Cost("log 64 KiB CPU in all", "CPU of the daemon", SECONDS, MICROSECONDS),),
    ),
    Sweep(
        "MB of output in lines of 100 bytes",
        (50, 100, 200, 400),
        _megabytes("lines", 100),
        (Cost("log lines CPU in all", "CPU of the daemon", SECONDS, MICROSECONDS),),
    ),
    Sweep(
        "readers of a log with 200 lines a second",
        (1, 10, 50, 200),
        streaming.log_readers,
        (Cost("CPU of log readers", "CPU of the daemon each second", MS, MICROSECONDS),),
    ),
    Sweep(
        "readers of events, 100 programs failing every 1.1 s",
        (1, 10, 50, 200),
        streaming.event_readers,
        (Cost("CPU of event readers", "CPU of the daemon each second", MS, MICROSECONDS),),
    ),
    Sweep(
        "events a second to 3 subscribers",
        (1000, 5000, 10000, 20000),
        fanout.events_at,
        (
            Cost("CPU of events", "CPU each second", MS, MICROSECONDS),
            Cost("events", "lag of the loop, p99", MS, MICROSECONDS),
        ),
    ),
)


def sweep(subject: Subject, workshop: Workshop) -> list[dict[str, Any]]:
    """Take everything once for every count (quick: but the last); progress goes to standard error."""
    most = _programs_that_fit()
    found: list[dict[str, Any]] = []
    for each in SWEEPS:
        counts = each.counts[:-1] if workshop.quick else each.counts
        points: dict[str, list[tuple[int, float]]] = {cost.key: [] for cost in each.costs}
        for count in counts if each.what != PROGRAMS else sorted({min(count, most) for count in counts}):
            print(f"{count} {each.what}", file=sys.stderr)
            values = each.take(subject, workshop, count)
            for key, of_key in points.items():
                of_key.append((count, values[key]))
        found += [grown(each, cost, points[cost.key]) for cost in each.costs]
    return found


def grown(of: Sweep, cost: Cost, points: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """A row of the table: the points, the line through them, and what the last step of the count did."""
    (count_before, before), (count, value) = points[-2:]
    return {
        "of": of.what,
        "title": cost.title,
        "points": points,
        "cost": cost,
        "last_step": {"count": count / count_before, "value": value / before},
        **asdict(fit(points)),
    }


def markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """A table for each thing that is counted: values, the line that fits, and what the last step did."""
    lines: list[str] = []
    of = ""
    for row in found:
        if row["of"] != of:
            of = row["of"]
            counts = [f"{count:,}" for count, _ in row["points"]]
            head = [of, *counts, "line that fits", "last step"]
            lines += ["", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
        cost: Cost = row["cost"]
        step = row["last_step"]
        cells = [
            cost.title,
            *(cost.unit.text(value) for _, value in row["points"]),
            f"{cost.unit.text(row['base'])} + {cost.each.text(row['each'])} each",
            f"× {step['count']:g} → × {step['value']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).strip() + "\n"


def document(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same as data."""
    return [{key: value for key, value in row.items() if key != "cost"} for row in found]


def _programs_that_fit() -> int:
    """For how many there are descriptors, four each; raises the hard limit as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, DESCRIPTORS))
            hard = DESCRIPTORS
    return (hard - RESERVE) // 4
