"""The benchmarks run against the real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="benchmarks need /proc")


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run them to their end."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ},
    )


@pytest.mark.slow
def test_a_quick_run_writes_the_table_in_both_forms(tmp_path: Path) -> None:
    chosen = ("--subjects", "kahi,supervisord,the floor", "first-answer", "log-lines")
    run = benchmarks("--quick", "--output", str(tmp_path / "new"), *chosen)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "new" / "table.md").read_text() == run.stdout
    data = json.loads((tmp_path / "new" / "table.json").read_text())
    assert data["notes"] == []
    assert list(data["subjects"]) == ["kahi", "supervisord", "the floor"]
    rows = {row["key"]: row for row in data["rows"]}
    assert set(rows) == {"first answer", "log lines rate", "log lines CPU"}
    for row in rows.values():
        assert row["goal"]
        assert row["met"] in (True, False)
        assert set(row["figures"]) == set(data["subjects"])
        assert all(figures["median"] > 0 for figures in row["figures"].values())
    assert len(rows["first answer"]["figures"]["kahi"]["values"]) == 3
    assert set(data["loads"]) == {"first-answer", "log-lines"}


def test_the_list_says_how_everything_is_measured() -> None:
    run = benchmarks("--list")
    assert run.returncode == 0, run.stderr
    assert "first-child\n    One program. The child reports itself" in run.stdout


def test_what_can_not_be_measured_is_named() -> None:
    run = benchmarks("warp-speed")
    assert run.returncode == 2
    assert "no such measure: warp-speed (there are: first-child, " in run.stderr
