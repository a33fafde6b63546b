"""The table of faults is whole, and the page that is committed tells of the tests that there are."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from collections import defaultdict

import pytest

from tests.robustness import (
    FAULTS,
    OPTION,
    PAGE,
    Result,
    page,
    pytest_collection_modifyitems,
    told_by,
)
from tests.support import ROOT


@pytest.fixture(scope="module")
def proofs() -> dict[str, set[str]]:
    """Tests by row, as they are collected. Takes seconds: all tests have to be imported."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "fault", OPTION],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, set[str]] = defaultdict(set)
    for line in done.stdout.splitlines():
        if listed := re.fullmatch(r"([A-Z\d ]+): (tests/.+)", line):
            for row in listed[1].split():
                found[row].add(listed[2])
    return found


def test_every_fault_has_a_test_or_a_reason(proofs: dict[str, set[str]]) -> None:
    for row, fault in FAULTS.items():
        assert bool(proofs[row]) != bool(fault.untested), row


def test_the_page_names_these_faults_and_tests(proofs: dict[str, set[str]]) -> None:
    """`make robustness` writes it anew."""
    text = PAGE.read_text(encoding="utf-8")
    assert {row: set(tests) for row, tests in told_by(text).items()} == {row: proofs[row] for row in FAULTS}
    for row, fault in FAULTS.items():
        assert f"**{fault.fault}.** {fault.outcome}" in text, row


def test_results_are_told_as_they_are() -> None:
    results = {
        "P1": {"tests/t.py::a": str(Result(passed=3)), "tests/t.py::b": str(Result(1, 0, {"needs root"}))},
        "P2": {"tests/t.py::c": str(Result(failed=1, passed=1))},
        "P3": {"tests/t.py::d": str(Result(skipped={"needs strace"}))},
    }
    written = page(results)
    for line in (
        f"| [P1](#p1) | {FAULTS['P1'].fault} | 2 tests passed |",
        f"| [P2](#p2) | {FAULTS['P2'].fault} | **failed** |",
        f"| [P3](#p3) | {FAULTS['P3'].fault} | skipped |",
        f"| [P4](#p4) | {FAULTS['P4'].fault} | no test |",
        f"| [S9](#s9) | {FAULTS['S9'].fault} | Kahi does not offer it |",
        "- `tests/t.py::b`: passed; in part skipped: needs root",
        "- `tests/t.py::d`: skipped: needs strace",
        "No test: Kahi does not offer it.",
    ):
        assert line in written.splitlines()
    assert told_by(written) == {row: results.get(row, {}) for row in FAULTS}


def test_a_row_that_is_not_there_is_refused() -> None:
    item = types.SimpleNamespace(
        nodeid="t", user_properties=[], iter_markers=lambda name: [pytest.mark.fault("P1", "Z9").mark]
    )
    with pytest.raises(pytest.UsageError, match=r"t: faults\.toml has no row 'Z9'"):
        pytest_collection_modifyitems([item])  # type: ignore[list-item]
