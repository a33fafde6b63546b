"""Build wheels and sdists of all distributions, the same bytes whenever and wherever it is done.

    python packaging/distributions.py [-d DIRECTORY] [--repository URL]

What is built is a copy of the files that git knows, with what only packages bring added to it: a note of the
commit, man pages and completion scripts, and the addresses of the repository, which nothing in it can know.
All files get the time of the commit. Needs the tools of ``make .venv/tools``, and no network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final

from kahi.build import NOTE, from_git
from kahi.cli.completion import SCRIPTS

ROOT: Final = Path(__file__).resolve().parent.parent
CORE: Final = "kahi-core"
MEMBERS: Final = (
    CORE,
    "kahi-api",
    "kahi-webui",
    "kahi-metrics",
    "kahi-webhooks",
    "kahi-migrate",
    "kahi-fips",
)

COMPLETIONS: Final = {
    "bash": "bash-completion/completions/kahi",
    "zsh": "zsh/site-functions/_kahi",
    "fish": "fish/vendor_completions.d/kahi.fish",
}
"""Where shells look for them, below ``share``."""

SHARED: Final = """
[tool.hatch.build.targets.wheel.shared-data]
"share" = "share"
"""

URLS: Final = """
[project.urls]
Source = "{0}"
Changelog = "{0}/blob/main/CHANGELOG.md"
Issues = "{0}/issues"
"""


def build_all(source: Path, output: Path, repository: str = "") -> list[Path]:
    """Build everything in ``source``, the top of a checkout, into ``output``; returns the files."""
    found = from_git(source)
    if not found.commit:
        sys.exit("distributions.py: needs git, and a checkout: it builds the files that git knows")
    if found.commit.endswith("-dirty"):
        print(f"files differ from the commit: this is no release of {found.commit}", file=sys.stderr)
    epoch = int(datetime.fromisoformat(found.date).timestamp())
    environ = {"SOURCE_DATE_EPOCH": str(epoch), **os.environ}
    output.mkdir(parents=True, exist_ok=True)
    for path in output.glob("kahi*"):
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "kahi"
        _export(source, tree)
        (tree / CORE / "src/kahi" / NOTE).write_text(json.dumps(found._asdict()) + "\n", encoding="utf-8")
        _add_shared_files(tree, environ)
        for member in (".", *MEMBERS):
            if repository:
                _append(tree / member / "pyproject.toml", URLS.format(repository.rstrip("/")))
            built = subprocess.run(
                [sys.executable, "-m", "hatchling", "build", "-d", str(output.resolve())],
                cwd=tree / member,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            if built.returncode:
                sys.exit(f"{member} can not be built:\n{built.stdout}{built.stderr}")
    return sorted(output.glob("kahi*"))


def _export(source: Path, tree: Path) -> None:
    """Copy the files that git knows, as they are now."""
    listed = subprocess.run(
        ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (source / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, tree / name)


def _add_shared_files(tree: Path, environ: dict[str, str]) -> None:
    """Man pages and completion scripts, and the line that has a wheel install them."""
    paths = os.pathsep.join(str(tree / member / "src") for member in MEMBERS)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, str(tree / "packaging/manpages.py"), folder],
            env=environ | {"PYTHONPATH": paths},
            check=True,
        )
        for pages in sorted(Path(folder).iterdir()):
            shutil.copytree(pages, tree / pages.name / "share/man/man1")
    for shell, place in COMPLETIONS.items():
        path = tree / CORE / "share" / place
        path.parent.mkdir(parents=True)
        path.write_text(SCRIPTS[shell].lstrip(), encoding="utf-8")
    for member in MEMBERS:
        if (tree / member / "share").is_dir():
            _append(tree / member / "pyproject.toml", SHARED)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def main() -> None:
    """Build, and print what was built with its SHA-256."""
    parser = argparse.ArgumentParser(description="Build wheels and sdists of all distributions.")
    parser.add_argument("-d", "--directory", type=Path, default=ROOT / "dist", help="default: dist")
    parser.add_argument("--repository", default="", metavar="URL", help="for the links in the metadata")
    parser.add_argument("--source", type=Path, default=ROOT, help="checkout; default: this one")
    options = parser.parse_args()
    for path in build_all(options.source, options.directory, options.repository):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)


if __name__ == "__main__":
    main()
