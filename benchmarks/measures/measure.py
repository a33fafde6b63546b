"""One kind of measurement, and how often it is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.subjects import Subject
from benchmarks.workshop import Workshop


@dataclass(frozen=True)
class Measure:
    """A measure; its figures are named as in `benchmarks.rows`.

    Args:
        take: takes it of one subject, once; raises `Unable` or `Skipped`.
        rounds: how often each subject has its turn.
        quick: how often in a quick run; 0: left out.
    """

    name: str
    take: Callable[[Subject, Workshop], dict[str, float]]
    rounds: int
    quick: int

    @property
    def description(self) -> str:
        """What is measured and how."""
        return (self.take.__doc__ or "").strip()
