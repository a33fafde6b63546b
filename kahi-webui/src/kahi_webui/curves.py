"""Curves as the points of SVG polylines, so that they are there without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kahi_webui.samples import KEPT

WIDTH: Final = 900
HEIGHT: Final = 120


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve with its words: ``now`` and ``top`` say the last and the highest value."""

    key: str
    title: str
    now: str
    top: str
    lines: tuple[str, ...]


def polylines(values: Sequence[float | None], top: float) -> tuple[str, ...]:
    """The lines through ``values``, the last at the right edge; broken where a value is missing.

    Args:
        top: the value at the upper edge.
    """
    return tuple(" ".join(line) for line in _runs(values, top))


def _runs(values: Sequence[float | None], top: float) -> Iterator[list[str]]:
    line: list[str] = []
    first = KEPT - len(values)
    for index, value in enumerate(values):
        if value is None:
            if line:
                yield line
            line = []
            continue
        x = (first + index) * WIDTH / (KEPT - 1)
        y = HEIGHT - 1 - value / top * (HEIGHT - 2)
        line.append(f"{x:.1f},{y:.1f}")
    if line:
        yield line
