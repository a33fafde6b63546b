"""Everything that `make dist` builds, built once for all tests and workers."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT


def build(output: Path, **environ: str) -> None:
    """Build all distributions into a directory."""
    subprocess.run(
        [sys.executable, ROOT / "packaging/distributions.py", "-d", output],
        env={**os.environ, **environ},
        check=True,
        timeout=300,
    )


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with wheels and sdists of everything."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout: what git knows is built")
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    output = shared / "distributions"
    with (shared / "distributions.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            build(shared / "unfinished")
            (shared / "unfinished").rename(output)
    return output
