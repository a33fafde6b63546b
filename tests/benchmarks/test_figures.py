"""Numbers out of numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Spread, fit, percentile

NUMBERS = st.floats(-1e6, 1e6)


def test_a_spread_has_a_median_and_quartiles() -> None:
    spread = Spread((5.0, 1.0, 3.0, 2.0, 4.0))
    assert spread.median == 3
    assert spread.quartiles == (2, 4)


def test_few_values_have_extremes_in_place_of_quartiles() -> None:
    assert Spread((3.0, 1.0, 2.0)).quartiles == (1, 3)
    assert Spread((7.0,)).quartiles == (7, 7)


@given(st.lists(NUMBERS, min_size=1))
def test_the_median_lies_between_the_quartiles(values: list[float]) -> None:
    spread = Spread(tuple(values))
    low, high = spread.quartiles
    assert min(values) <= low <= spread.median <= high <= max(values)


@given(st.lists(NUMBERS, min_size=1), st.floats(0, 1))
def test_no_more_than_its_share_lies_above_a_percentile(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value > found for value in values) <= math.ceil(len(values) * (1 - share))


def test_the_last_percentile_of_a_hundred_is_the_slowest() -> None:
    assert percentile(list(range(100)), 0.99) == 99


@given(st.floats(1, 1000), st.floats(0.01, 10))
def test_a_line_is_found_again(base: float, each: float) -> None:
    line = fit([(count, base + each * count) for count in (10, 100, 1000, 5000)])
    assert line.base == pytest.approx(base, rel=1e-6)
    assert line.each == pytest.approx(each, rel=1e-6)
    assert line.at(200) == pytest.approx(base + 200 * each, rel=1e-6)


def test_small_counts_weigh_as_much_as_large_ones() -> None:
    """A percent more at the end must not turn the base around."""
    line = fit([(1, 10.1), (10, 11), (100, 20), (1000, 111)])
    assert line.base == pytest.approx(10, rel=0.02)


def test_a_line_needs_two_counts() -> None:
    with pytest.raises(ValueError, match="two different counts"):
        fit([(3, 1.0), (3, 2.0)])
