"""Numbers out of numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Several values of the same thing.

    Args:
        values: in the order they were measured.
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The quarter below, and the one above which a quarter is; the extremes of fewer than four values."""
        if len(self.values) < 4:
            return min(self.values), max(self.values)
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below ``share`` (0 to 1) of all of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True)
class Line:
    """``base + each * count``, the straight line that fits best."""

    base: float
    each: float

    def at(self, count: float) -> float:
        """The value for a count."""
        return self.base + self.each * count


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """The line through points of (count, value), by least squares of the relative errors.

    Small counts weigh as much as large ones: otherwise the largest alone would decide, and the base
    would be what noise makes of it.

    Raises:
        ValueError: fewer than two different counts.
    """
    weights = [1 / value**2 if value else 1.0 for _, value in points]
    total = sum(weights)
    mean_count = sum(w * count for w, (count, _) in zip(weights, points, strict=True)) / total
    mean_value = sum(w * value for w, (_, value) in zip(weights, points, strict=True)) / total
    spread = sum(w * (count - mean_count) ** 2 for w, (count, _) in zip(weights, points, strict=True))
    if not spread:
        raise ValueError("a line needs two different counts")
    each = (
        sum(
            w * (count - mean_count) * (value - mean_value)
            for w, (count, value) in zip(weights, points, strict=True)
        )
        / spread
    )
    return Line(mean_value - each * mean_count, each)
