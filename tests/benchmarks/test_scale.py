"""How costs grow: the line through what was measured, and the table of it."""

from __future__ import annotations

import json

import pytest

from benchmarks import scale
from benchmarks.rows import KIB, MIB
from benchmarks.scale import Cost, Sweep

MEMORY = Cost("memory", "memory", MIB, KIB)
PROGRAMS = Sweep("programs", (10, 100, 1000), lambda subject, workshop, count: {}, (MEMORY,))
POINTS = [(count, 20 * 1024**2 + count * 10 * 1024.0) for count in (10, 100, 1000)]


def test_a_row_has_the_line_and_the_last_step() -> None:
    row = scale.grown(PROGRAMS, MEMORY, POINTS)
    assert row["base"] == pytest.approx(20 * 1024**2)
    assert row["each"] == pytest.approx(10 * 1024)
    assert row["last_step"]["count"] == 10
    assert row["last_step"]["value"] == pytest.approx(POINTS[2][1] / POINTS[1][1])


def test_the_table_shows_values_and_line_in_units_of_their_own() -> None:
    text = scale.markdown([scale.grown(PROGRAMS, MEMORY, POINTS)])
    assert text.splitlines()[0] == "| programs | 10 | 100 | 1,000 | line that fits | last step |"
    assert "| memory | 20.1 MiB | 21 MiB | 29.8 MiB | 20 MiB + 10 KiB each | × 10 → × 1.4 |" in text


def test_the_document_is_data() -> None:
    (row,) = json.loads(json.dumps(scale.document([scale.grown(PROGRAMS, MEMORY, POINTS)])))
    assert row["of"] == "programs"
    assert row["points"][0] == [10, POINTS[0][1]]


def test_everything_that_grows_is_measured_for_several_counts() -> None:
    assert all(len(sweep.counts) >= 4 and sweep.costs for sweep in scale.SWEEPS)
