"""The site is built without network and without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, DOCUMENTS
from tests.support import ROOT


def without_network() -> Sequence[str]:
    """What runs a command where there is no network, if this machine can do that."""
    probe = ["unshare", "--net", "true"]
    if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return probe[:-1]
    return ()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; building it takes three seconds."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(directory)]
    done = subprocess.run(
        [*without_network(), *command],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return directory


def test_every_page_is_there(site: Path) -> None:
    for path in DOCUMENTS:
        if path.is_relative_to(DOCS):
            assert (site / path.relative_to(DOCS)).with_suffix(".html").exists()
    assert "kahi_process_state" in (site / "reference/metrics.html").read_text(encoding="utf-8")
    assert '<div class="lifecycle"><svg' in (site / "explanation/lifecycle.html").read_text(encoding="utf-8")
    assert not list(site.rglob("*.py"))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe|link)[^>]+(?:src|href)="(?:https?:)?//[^"]+', text), (
            path
        )
    for path in site.rglob("*.css"):
        assert not re.findall(r"url\((?:https?:)?//|@import", path.read_text(encoding="utf-8")), path


def test_files_that_are_in_the_repository_only_are_named(site: Path) -> None:
    text = (site / "how-to/plugins.html").read_text(encoding="utf-8")
    assert "examples/kahi-plugin-notify/README.md</code> in the repository" in text
