"""What an installation was built from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi.build import Build, from_git
from tests.support import ROOT, Daemon

WHO = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]


def git(root: Path, *arguments: str) -> str:
    """What git answers."""
    done = subprocess.run(
        ["git", "-C", str(root), *WHO, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of the year 2001."""
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1", encoding="utf-8")
    git(tmp_path, "add", "file")
    subprocess.run(
        ["git", "-C", str(tmp_path), *WHO, "commit", "-q", "-m", "First"],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_COMMITTER_DATE": "1000000000 +0545"},
        check=True,
    )
    return tmp_path


def test_checkout_knows_its_commit(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert from_git(repository) == Build(head, "2001-09-09T01:46:40Z")
    (repository / "file").write_text("2", encoding="utf-8")
    assert from_git(repository).commit == f"{head}-dirty"


def test_variables_of_another_repository_do_not_mislead(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))
    assert from_git(repository).date == "2001-09-09T01:46:40Z"


def test_what_is_no_checkout_knows_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "below").mkdir()
    assert from_git(repository / "below") == Build()
    monkeypatch.setenv("PATH", "")
    assert from_git(repository) == Build()


def test_tag_is_no_commit(repository: Path) -> None:
    git(repository, "tag", "-a", "v1", "-m", "v1")
    assert from_git(repository).commit == git(repository, "rev-parse", "HEAD")


def test_version_tells_the_commit(daemon: Callable[..., Daemon]) -> None:
    expected = from_git(ROOT)
    command = [sys.executable, "-m", "kahi", "version", "--json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert (told["commit"], told["date"]) == expected
    served = daemon("").get("/api/v1/version")
    assert (served["commit"], served["date"]) == expected
