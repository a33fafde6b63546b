"""What is measured: one module for each family of measures."""

from __future__ import annotations

from benchmarks.measures import crowd, fanout, freezing, logging, restarting, resting, starting
from benchmarks.measures.freezing import Skipped
from benchmarks.measures.measure import Measure

MEASURES: tuple[Measure, ...] = (
    Measure("first-child", starting.first_child, rounds=5, quick=3),
    Measure("first-answer", starting.first_answer, rounds=5, quick=3),
    Measure("first-answer-alone", starting.first_answer_alone, rounds=5, quick=3),
    Measure("crowd-100", crowd.crowd_of(100), rounds=5, quick=1),
    Measure("crowd-1000", crowd.crowd_of(1000), rounds=3, quick=0),
    Measure("restart", restarting.restart, rounds=3, quick=1),
    Measure("storm", restarting.storm, rounds=1, quick=1),
    Measure("idle", resting.idle, rounds=1, quick=1),
    Measure(
        "log-pieces", logging.throughput("64 KiB", 1, 64 * 1024, 2 * logging.GIGABYTE), rounds=5, quick=1
    ),
    Measure("log-lines", logging.throughput("lines", 1, 100, 400 * logging.MEGABYTE), rounds=5, quick=1),
    Measure(
        "log-lines-of-4",
        logging.throughput("lines of 4", 4, 100, 400 * logging.MEGABYTE),
        rounds=3,
        quick=0,
    ),
    Measure("log-many", logging.throughput("of 50", 50, 64 * 1024, 2 * logging.GIGABYTE), rounds=3, quick=0),
    Measure("flood", logging.flood, rounds=2, quick=1),
    Measure("frozen", freezing.frozen, rounds=1, quick=0),
    Measure("events", fanout.events, rounds=1, quick=1),
)
"""In the order of the table."""

__all__ = ["MEASURES", "Measure", "Skipped"]
