"""The site is built without network and without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docs.blocks import DOCS, DOCUMENTS
from tests.support import ROOT

ELSEWHERE = re.compile(r'<(?:script|img|iframe|link)[^>]+(?:src|href)="(?:https?:)?//[^"]+')


def without_network() -> Sequence[str]:
    """What runs a command where there is no network, if this machine can do that."""
    probe = ["unshare", "--net", "true"]
    if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return probe[:-1]
    return ()


def test_the_site(tmp_path: Path) -> None:
    """One test, because building the site takes three seconds."""
    done = subprocess.run(
        [*without_network(), sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = {
        path.relative_to(tmp_path): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")
    }
    for path in DOCUMENTS:
        if path.is_relative_to(DOCS):
            assert path.relative_to(DOCS).with_suffix(".html") in pages
    assert "kahi_process_state" in pages[Path("reference/metrics.html")]
    assert '<div class="lifecycle"><svg' in pages[Path("explanation/lifecycle.html")]
    in_repository = "examples/kahi-plugin-notify/README.md</code> in the repository"
    assert in_repository in pages[Path("how-to/plugins.html")]
    assert not list(tmp_path.rglob("*.py"))
    for path, text in pages.items():
        assert not ELSEWHERE.findall(text), path
    for path in tmp_path.rglob("*.css"):
        assert not re.findall(r"url\((?:https?:)?//|@import", path.read_text(encoding="utf-8")), path
