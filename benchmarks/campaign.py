"""One run: every measure of every supervisor, by turns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import machine
from benchmarks.figures import Spread, fit
from benchmarks.measures import Measure, Skipped
from benchmarks.subjects import Subject, Unable
from benchmarks.workshop import Workshop, now

PATIENCE = 30.0
"""Seconds that one subject may use for one measure before it has no further turns: peers can be slow."""

BASE = "memory base"
EACH = "memory each"


@dataclass
class Outcome:
    """What a run has found.

    Args:
        values: of each figure, by subject.
        loads: what else went on during each measure, by its name.
        measure_of: which measure a figure comes from.
        notes: what could not be measured, and why.
    """

    values: dict[str, dict[str, Spread]] = field(default_factory=dict[str, dict[str, Spread]])
    loads: dict[str, machine.Load] = field(default_factory=dict[str, machine.Load])
    measure_of: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])

    def add(self, measure: str, key: str, subject: str, value: float) -> None:
        """One more value of a figure."""
        before = self.values.setdefault(key, {}).get(subject, Spread(()))
        self.values[key][subject] = Spread((*before.values, value))
        self.measure_of[key] = measure


def run(measures: Sequence[Measure], subjects: Sequence[Subject], workshop: Workshop) -> Outcome:
    """Take all measures; progress goes to standard error."""
    outcome = Outcome()
    for measure in measures:
        watch = machine.Watch()
        _take(measure, subjects, workshop, outcome)
        outcome.loads[measure.name] = watch.load()
    derive_memory(outcome)
    return outcome


def _take(measure: Measure, subjects: Sequence[Subject], workshop: Workshop, outcome: Outcome) -> None:
    spent = dict.fromkeys(subjects, 0.0)
    for number in range(measure.quick if workshop.quick else measure.rounds):
        for subject in subjects:
            if spent[subject] > PATIENCE:
                continue
            begin = now()
            try:
                found = measure.take(subject, workshop)
            except Unable:
                spent[subject] = float("inf")
                continue
            except Skipped as reason:
                outcome.notes.append(f"{measure.name}: skipped, {reason}")
                return
            except (OSError, RuntimeError, AssertionError) as error:
                outcome.notes.append(f"{measure.name}: {subject.name} failed: {error}")
                spent[subject] = float("inf")
                continue
            seconds = now() - begin
            spent[subject] += seconds
            print(f"{measure.name}, round {number + 1}, {subject.name}: {seconds:.1f} s", file=sys.stderr)
            for key, value in found.items():
                outcome.add(measure.name, key, subject.name, value)


def derive_memory(outcome: Outcome) -> None:
    """What a supervisor weighs without programs, and each of these: a line through what was measured."""
    counts = [(int(key.rpartition(" ")[2]), key) for key in outcome.values if key.startswith("memory of ")]
    if len(counts) < 2:
        return
    for subject in outcome.values[counts[0][1]]:
        points = [
            (count, outcome.values[key][subject].median)
            for count, key in counts
            if subject in outcome.values[key]
        ]
        if len(points) < 2:
            continue
        line = fit(points)
        outcome.add(outcome.measure_of[counts[-1][1]], BASE, subject, line.base)
        outcome.add(outcome.measure_of[counts[-1][1]], EACH, subject, line.each)
