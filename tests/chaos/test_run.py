"""A short chaos run, the same in each test run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SECONDS = 60
SEED = 20261125


@pytest.mark.slow
def test_everything_holds(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos", "--seconds", str(SECONDS), "--seed", str(SEED)),
            *("--report", str(report)),
        ],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    text = report.read_text()
    assert f"seed {SEED}" in text
    assert "**Everything held.**" in text
    assert int(re.findall(r"\| actions \| (\d+)", text)[0]) > 50
    assert int(re.findall(r"events read, without a gap \| (\d+)", text)[0]) > 100
    assert int(re.findall(r"logs followed, without a gap \| (\d+)", text)[0]) > 10_000
    assert len(report.with_suffix(".csv").read_text().splitlines()) > 10
