"""Whether curves are flat."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.curves import Sample, growth, sample, table, write_csv

MIB = 2**20


def samples(*resident: float, at_peace: bool = True) -> list[Sample]:
    """One a second."""
    return [Sample(second, int(each), 0, 10, 2, 0, at_peace) for second, each in enumerate(resident)]


def test_growth_is_that_of_a_line_after_the_warm_up() -> None:
    assert growth(samples(*(50 * MIB for _ in range(30))), "resident") == 0
    rising = samples(*(second * MIB for second in range(31)))
    assert growth(rising, "resident") == pytest.approx(20 * MIB)
    warming = samples(*(min(second, 9) * 10 * MIB for second in range(31)))
    assert growth(warming, "resident") == pytest.approx(0, abs=MIB)
    assert growth(samples(1, 2), "resident") == 0
    assert growth([], "resident") == 0


def test_noise_is_no_growth() -> None:
    noisy = samples(*((50 + second % 2) * MIB for second in range(31)))
    assert abs(growth(noisy, "resident")) < MIB / 2


def test_a_sample_of_a_process() -> None:
    found = sample(os.getpid(), 1.234, 5, at_peace=True)
    assert found.resident > MIB
    assert found.resident >= found.proportional > 0
    assert found.descriptors >= 3
    assert found.threads >= 1
    assert (found.seconds, found.children, found.at_peace) == (1.23, 5, True)


def test_what_is_written(tmp_path: Path) -> None:
    some = [*samples(MIB, 2 * MIB), *samples(3 * MIB, at_peace=False)]
    write_csv(tmp_path / "curves.csv", some)
    first, *rest = (tmp_path / "curves.csv").read_text().splitlines()
    assert first == "seconds,resident,proportional,descriptors,threads,children,at_peace"
    assert len(rest) == 3
    assert table(some)[2:] == ["| 0 | 1.0 | 0.0 | 10 | 2 |", "| 1 | 2.0 | 0.0 | 10 | 2 |"]
    assert len(table(samples(*range(100)))) <= 2 + 15
