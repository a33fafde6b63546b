"""The table: what it shows of a run, and when a goal is met."""

from __future__ import annotations

import json

import pytest

from benchmarks import report
from benchmarks.campaign import Outcome, derive_memory
from benchmarks.figures import Spread
from benchmarks.machine import Load
from benchmarks.measures import MEASURES
from benchmarks.rows import COUNT, MS, ROWS, AtLeastTimes, AtMost, AtMostTimes, Limit, Row, Unit

VERSIONS = {"kahi": "1", "supervisord": "2", "the floor": "3"}
ABOUT = {
    "begun": "2026-01-02T03:04:05+00:00",
    "seconds": 12.3,
    "quick": True,
    "processors": 2,
    "processor": "Fast",
    "memory": 4 * 1024**3,
    "kernel": "Linux 6",
    "load_before": 0.5,
    "load_after": 1.5,
}
START = Row("start", "to start", MS, (AtMost(0.1), AtMostTimes(0.5, "supervisord")))
COUNTED = Row("counted", "things", COUNT)


def outcome(**figures: dict[str, list[float]]) -> Outcome:
    """A run that has found that."""
    found = Outcome(loads={"m": Load(1.0, 0.25, 0.5)}, notes=["something is missing"])
    for key, by_subject in figures.items():
        for subject, values in by_subject.items():
            for value in values:
                found.add("m", key, subject, value)
    return found


@pytest.mark.parametrize(
    ("limit", "value", "met"),
    [
        (AtMost(2), 2, True),
        (AtMost(2), 2.1, False),
        (AtMostTimes(0.5, "supervisord"), 5, True),
        (AtMostTimes(0.5, "supervisord"), 5.1, False),
        (AtLeastTimes(1.2, "supervisord"), 12, True),
        (AtLeastTimes(1.2, "supervisord"), 11.9, False),
        (AtMostTimes(0.5, "circus"), 0, None),
        (AtLeastTimes(0.5, "circus"), 9, None),
    ],
)
def test_a_limit_is_met_or_not_or_nobody_knows(limit: Limit, value: float, met: bool | None) -> None:
    assert limit.met(value, {"supervisord": 10}) is met


@pytest.mark.parametrize(
    ("kahi", "supervisord", "met"),
    [(0.09, 0.5, True), (0.11, 0.5, False), (0.09, 0.1, False)],
)
def test_a_goal_is_met_when_all_its_limits_are(kahi: float, supervisord: float, met: bool) -> None:
    assert report.met(START, {"kahi": Spread((kahi,)), "supervisord": Spread((supervisord,))}) is met


def test_without_anybody_to_compare_with_a_goal_is_neither_met_nor_missed() -> None:
    assert report.met(START, {"kahi": Spread((0.09,))}) is None
    assert report.met(START, {"supervisord": Spread((0.09,))}) is None
    assert report.met(COUNTED, {"kahi": Spread((1.0,))}) is None


def test_the_table_shows_medians_spread_goal_and_what_others_did() -> None:
    found = outcome(
        start={"kahi": [0.08, 0.09, 0.12], "supervisord": [0.5]}, counted={"the floor": [12345.0]}
    )
    text = report.markdown(found, VERSIONS, ABOUT, (START, COUNTED))
    assert "2 × Fast, 4 GiB, Linux 6" in text
    assert "| measure | kahi 1 | supervisord 2 | the floor 3 | goal | met | others |" in text
    assert (
        "| to start (ms) | 90 (80–120) | 500 | – | ≤ 100 ms and ≤ 0.5 × supervisord | yes | 0.25 + 0.50 |"
    ) in text
    assert "| things | – | – | 12,345 | – | – | 0.25 + 0.50 |" in text
    assert text.endswith("- something is missing\n")


def test_a_row_that_was_not_measured_is_left_out() -> None:
    text = report.markdown(outcome(start={"kahi": [1.0]}), VERSIONS, ABOUT, (START, COUNTED))
    assert "to start" in text
    assert "things" not in text


def test_the_document_holds_everything_as_data() -> None:
    found = outcome(start={"kahi": [0.08, 0.09, 0.12], "supervisord": [0.5]})
    data = json.loads(json.dumps(report.document(found, VERSIONS, ABOUT, (START, COUNTED))))
    assert data["about"]["kernel"] == "Linux 6"
    assert data["loads"]["m"] == {"average": 1.0, "foreign": 0.25, "steal": 0.5}
    assert data["notes"] == ["something is missing"]
    (row,) = data["rows"]
    assert row["met"] is True
    assert row["figures"]["the floor"] is None
    assert row["figures"]["kahi"] == {"median": 0.09, "low": 0.08, "high": 0.12, "values": [0.08, 0.09, 0.12]}


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (MS, 0.0012345, "1.23 ms"),
        (MS, 0.0123, "12.3 ms"),
        (MS, 0.06, "60 ms"),
        (MS, 1.23456, "1,235 ms"),
        (MS, 0.0, "0 ms"),
        (COUNT, 3.0, "3"),
        (Unit("MiB", 1 / 1024**2), 30 * 1024**2, "30 MiB"),
    ],
)
def test_figures_are_written_with_as_many_digits_as_mean_something(
    unit: Unit, value: float, text: str
) -> None:
    assert unit.text(value) == text


def test_memory_is_taken_apart_into_a_base_and_what_each_program_adds() -> None:
    found = outcome(**{f"memory of {count}": {"kahi": [1e6 + 1e3 * count]} for count in (1, 100, 1000)})
    derive_memory(found)
    assert found.values["memory base"]["kahi"].median == pytest.approx(1e6)
    assert found.values["memory each"]["kahi"].median == pytest.approx(1e3)


def test_one_count_tells_nothing_about_each_program() -> None:
    found = outcome(**{"memory of 1": {"kahi": [1e6]}})
    derive_memory(found)
    assert "memory each" not in found.values


def test_rows_and_measures_are_each_named_once() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)


def test_every_measure_says_what_it_measures() -> None:
    assert all(measure.description for measure in MEASURES)
