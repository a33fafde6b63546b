"""The distributions fit together."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from kahi.config.loading import load
from kahi.plugins import PluginManager
from kahi.version import __version__
from tests.docs.checkers import VARIABLES
from tests.test_boundaries import imports

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = [
    "kahi-core",
    "kahi-api",
    "kahi-webui",
    "kahi-metrics",
    "kahi-webhooks",
    "kahi-migrate",
    "kahi-fips",
]


def project(folder: str) -> dict[str, Any]:
    """The ``[project]`` table of a distribution."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("folder", [".", *MEMBERS])
def test_versions_agree(folder: str) -> None:
    found = project(folder)
    extras = [each for group in found.get("optional-dependencies", {}).values() for each in group]
    assert found["version"] == __version__
    for requirement in [*found["dependencies"], *extras]:
        if requirement.startswith("kahi-"):
            assert requirement.endswith(f"=={__version__}"), requirement


@pytest.mark.parametrize("folder", MEMBERS)
def test_every_member_has_a_readme_and_an_extra(folder: str) -> None:
    assert (ROOT / folder / "README.md").read_text(encoding="utf-8").strip()
    if folder != "kahi-core":
        assert folder.removeprefix("kahi-") in project(".")["optional-dependencies"]


@pytest.mark.parametrize("folder", MEMBERS)
def test_lower_bounds_only(folder: str) -> None:
    for requirement in project(folder)["dependencies"]:
        if not requirement.startswith("kahi-"):
            assert re.fullmatch(r"[a-z0-9-]+(\[[a-z]+\])?>=[0-9.]+", requirement), requirement


OPTIONAL = {"kahi-core": {"pytest"}, "kahi-webhooks": {"prometheus-client"}}
"""What is imported only where somebody else has brought it."""


@pytest.mark.parametrize("folder", MEMBERS)
def test_what_is_imported_is_asked_for(folder: str) -> None:
    asked = project(folder)["dependencies"]
    asked += [each for group in project(folder).get("optional-dependencies", {}).values() for each in group]
    declared = {re.split(r"[\[=>]", requirement)[0] for requirement in asked}
    brought_by = packages_distributions()
    used = {
        brought_by[top][0].lower().replace("_", "-")
        for path in (ROOT / folder / "src").rglob("*.py")
        for top in {module.partition(".")[0] for module in imports(path)} - sys.stdlib_module_names
        if not top.startswith("kahi") and top in brought_by
    }
    assert used - {"pydantic-core"} - OPTIONAL.get(folder, set()) <= declared
    foreign = {requirement for requirement in declared if not requirement.startswith("kahi-")}
    assert foreign <= used


@pytest.mark.parametrize("folder", MEMBERS)
def test_configurations_of_readmes_load(folder: str, tmp_path: Path) -> None:
    plugins = PluginManager()
    plugins.discover()
    sections = plugins.declare_sections()
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "kahi.toml"
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        path.write_text(block, encoding="utf-8")
        assert not load(str(path), sections=sections, environ=VARIABLES).warnings


@pytest.mark.parametrize("folder", MEMBERS)
def test_every_member_has_the_license(folder: str) -> None:
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def copy_of_versions(folder: Path) -> None:
    """Everything that holds the version, in another place."""
    names = ["pyproject.toml", "CHANGELOG.md", "kahi-core/src/kahi/version.py", "packaging/bump.py"]
    for name in [*names, *(f"{member}/pyproject.toml" for member in MEMBERS)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def test_version_is_bumped_everywhere(tmp_path: Path) -> None:
    copy_of_versions(tmp_path)
    program = [sys.executable, tmp_path / "packaging/bump.py"]
    subprocess.run([*program, "7.8.9rc1"], check=True, capture_output=True)
    assert runpy.run_path(str(tmp_path / "kahi-core/src/kahi/version.py"))["__version__"] == "7.8.9rc1"
    for folder in (".", *MEMBERS):
        text = (tmp_path / folder / "pyproject.toml").read_text(encoding="utf-8")
        assert __version__ not in re.findall(r'"([0-9.]+)"', text)
        found = tomllib.loads(text)["project"]
        assert found["version"] == "7.8.9rc1"
        extras = [each for group in found.get("optional-dependencies", {}).values() for each in group]
        for requirement in [*found["dependencies"], *extras]:
            assert not requirement.startswith("kahi-") or requirement.endswith("==7.8.9rc1")
    changes = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changes.count("## 7.8.9rc1 (not released)") == 1
    assert f"## {__version__} " in changes


@pytest.mark.parametrize("version", ["1", "1.2", "v1.2.3", "1.2.3-4", "newest"])
def test_what_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    copy_of_versions(tmp_path)
    program = [sys.executable, tmp_path / "packaging/bump.py"]
    done = subprocess.run([*program, version], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"bump.py: not a version: {version}; for example 1.2.3 or 1.2.3rc1\n"
