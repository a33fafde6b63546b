"""Wheels and sdists: the same bytes each time, and all in them that belongs there."""

from __future__ import annotations

import email.message
import email.parser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from kahi.build import from_git
from kahi.version import __version__
from tests.packages.conftest import build
from tests.support import ROOT
from tests.test_distributions import MEMBERS

pytestmark = pytest.mark.slow

EVERYTHING = ("kahi", *MEMBERS)


def hashes(directory: Path) -> dict[str, str]:
    """SHA-256 of what was built, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.glob("kahi*")}


def wheel(distributions: Path, name: str) -> Path:
    """The wheel of a distribution."""
    return distributions / f"{name.replace('-', '_')}-{__version__}-py3-none-any.whl"


def sdist(distributions: Path, name: str) -> Path:
    """The sdist of a distribution."""
    return distributions / f"{name.replace('-', '_')}-{__version__}.tar.gz"


def metadata(path: Path) -> email.message.Message:
    """What a wheel tells of itself."""
    with zipfile.ZipFile(path) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.parser.BytesParser().parsebytes(archive.read(name))


def test_same_bytes_again(distributions: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        temporary = tmp_path / "elsewhere"
        temporary.mkdir()
        environ = {"TMPDIR": str(temporary), "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
        build(tmp_path / "again", **environ)
    finally:
        os.umask(before)
    assert len(hashes(distributions)) == 2 * len(EVERYTHING)
    assert hashes(tmp_path / "again") == hashes(distributions)


@pytest.mark.parametrize("name", ["kahi", "kahi-core", "kahi-api"])
def test_wheel_of_sdist_is_the_wheel(distributions: Path, tmp_path: Path, name: str) -> None:
    with tarfile.open(sdist(distributions, name)) as archive:
        newest = max(member.mtime for member in archive)
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "built"],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(int(newest))},
        check=True,
        capture_output=True,
    )
    again = wheel(tmp_path / "built", name)
    assert again.read_bytes() == wheel(distributions, name).read_bytes()


@pytest.mark.parametrize("name", EVERYTHING)
def test_metadata_is_complete(distributions: Path, name: str) -> None:
    told = metadata(wheel(distributions, name))
    assert told["Name"] == name
    assert told["Version"] == __version__
    assert told["Summary"]
    assert told["Author"] == "The Kahi developers"
    assert told["License-Expression"] == "MIT"
    assert told["License-File"] == "LICENSE"
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert str(told.get_payload()).startswith(("# kahi-", "# Kahi"))
    classifiers = told.get_all("Classifier", [])
    for expected in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {expected}" in classifiers
    assert {"Operating System :: POSIX :: Linux", "Operating System :: MacOS"} < set(classifiers)
    assert "Project-URL" not in told  # Nothing here knows where the repository is.


def test_addresses_are_those_of_the_release(tmp_path: Path) -> None:
    where = "https://example.org/kahi/"
    arguments = ["-d", str(tmp_path), "--repository", where]
    subprocess.run([sys.executable, ROOT / "packaging/distributions.py", *arguments], check=True)
    told = metadata(wheel(tmp_path, "kahi-core")).get_all("Project-URL", [])
    assert "Source, https://example.org/kahi" in told


@pytest.mark.parametrize("name", EVERYTHING)
def test_license_is_in_everything(distributions: Path, name: str) -> None:
    expected = (ROOT / "LICENSE").read_bytes()
    with zipfile.ZipFile(wheel(distributions, name)) as archive:
        (found,) = [each for each in archive.namelist() if each.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(found) == expected
    with tarfile.open(sdist(distributions, name)) as archive:
        member = archive.extractfile(f"{name.replace('-', '_')}-{__version__}/LICENSE")
        assert member is not None
        assert member.read() == expected


@pytest.mark.parametrize("name", MEMBERS)
def test_wheel_holds_its_package_and_no_other(distributions: Path, name: str) -> None:
    package = "kahi" if name == "kahi-core" else name.replace("-", "_")
    source = ROOT / name / "src" / package
    expected = {
        str(path.relative_to(source.parent))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel(distributions, name)) as archive:
        names = set(archive.namelist())
    modules = {each for each in names if ".data/" not in each and ".dist-info/" not in each}
    assert modules - {"kahi/build.json"} == expected
    assert f"{package}/py.typed" in names


def test_wheel_of_all_is_metadata_alone(distributions: Path) -> None:
    with zipfile.ZipFile(wheel(distributions, "kahi")) as archive:
        assert all(".dist-info/" in name for name in archive.namelist())


def test_commit_is_noted(distributions: Path) -> None:
    with zipfile.ZipFile(wheel(distributions, "kahi-core")) as archive:
        assert json.loads(archive.read("kahi/build.json")) == from_git(ROOT)._asdict()


def test_every_command_has_a_man_page(distributions: Path) -> None:
    found: dict[str, set[str]] = {}
    for name in MEMBERS:
        with zipfile.ZipFile(wheel(distributions, name)) as archive:
            pages = [each for each in archive.namelist() if "/data/share/man/man1/" in each]
        found[name] = {Path(page).name for page in pages}
    assert {"kahi.1", "kahi-daemon.1", "kahi-completion.1"} < found["kahi-core"]
    assert {"kahi-ctl.1", "kahi-ctl-status.1", "kahi-hash-password.1"} < found["kahi-api"]
    assert {"kahi-migrate.1", "kahi-export.1"} <= found["kahi-migrate"]
    assert {"kahi-webhook.1", "kahi-webhook-test.1"} <= found["kahi-webhooks"]
    assert found["kahi-fips"] == {"kahi-fips.1"}
    assert "kahi-metrics.1" in found["kahi-metrics"]
    assert not found["kahi-webui"]


@pytest.mark.skipif(not shutil.which("mandoc"), reason="needs mandoc")
def test_man_pages_are_well_formed(distributions: Path, tmp_path: Path) -> None:
    pages: list[Path] = []
    for name in MEMBERS:
        with zipfile.ZipFile(wheel(distributions, name)) as archive:
            wanted = [each for each in archive.namelist() if "/man1/" in each]
            archive.extractall(tmp_path, wanted)
            pages += [tmp_path / each for each in wanted]
    assert len(pages) > 35
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
    # Whether other pages are installed on this machine is no matter.
    problems = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert not problems


def test_man_page_says_what_help_says(distributions: Path) -> None:
    with zipfile.ZipFile(wheel(distributions, "kahi-api")) as archive:
        (page,) = [each for each in archive.namelist() if each.endswith("/kahi-ctl-status.1")]
        text = archive.read(page).decode().replace("\\-", "-")
    assert from_git(ROOT).date[:10] in text.splitlines()[0]
    for expected in ("--watch", "Exits with 3", ".BR kahi-ctl (1)"):
        assert expected in text


def test_completion_scripts_are_installed_where_shells_look(distributions: Path) -> None:
    with zipfile.ZipFile(wheel(distributions, "kahi-core")) as archive:
        for shell, place in {
            "bash": "bash-completion/completions/kahi",
            "zsh": "zsh/site-functions/_kahi",
            "fish": "fish/vendor_completions.d/kahi.fish",
        }.items():
            (found,) = [each for each in archive.namelist() if each.endswith(f"/data/share/{place}")]
            printed = subprocess.run(
                [sys.executable, "-m", "kahi", "completion", shell],
                capture_output=True,
                text=True,
                check=True,
            )
            assert archive.read(found).decode() == printed.stdout
            # zsh asks the first line which command it is for.
            assert shell != "zsh" or printed.stdout.startswith("#compdef kahi\n")


def test_sdist_holds_nothing_of_the_machine(distributions: Path) -> None:
    for name in EVERYTHING:
        with tarfile.open(sdist(distributions, name)) as archive:
            for member in archive:
                assert not re.search(r"__pycache__|\.pyc$|\.venv|\.egg-info", member.name), member.name
                assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
