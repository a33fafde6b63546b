"""What this installation was built from: written into wheels and sdists, asked of git in a checkout.

Without imports of Kahi's own: the build executes this file before anything is installed.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

NOTE: Final = "build.json"
"""Beside this file in what was built."""

GIT_LIMIT: Final = 5.0
"""Seconds that git has to answer."""


class Build(NamedTuple):
    """A commit, "-dirty" behind it when files differ from it, and its time; "" where it is not known."""

    commit: str = ""
    date: str = ""


@functools.cache
def build() -> Build:
    """What runs here. The first call may ask git, which takes milliseconds: not for the event loop."""
    package = Path(__file__).resolve().parent
    try:
        return Build(**json.loads((package / NOTE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return from_git(package.parents[2])


def from_git(root: Path) -> Build:
    """The commit that is checked out in ``root``, if that is the top of a checkout."""
    if not (root / ".git").exists():
        return Build()
    # git tells its hooks by variables where their repository is, which need not be this one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environ["GIT_OPTIONAL_LOCKS"] = "0"

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_LIMIT,
            env=environ,
        )
        return done.stdout.strip()

    try:
        commit = git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
        seconds = int(git("log", "-1", "--format=%ct"))
    except (OSError, subprocess.SubprocessError, ValueError):
        # No git, or a repository that it does not trust.
        return Build()
    return Build(commit, datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z"))
