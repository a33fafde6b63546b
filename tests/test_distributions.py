"""The distributions fit together."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kahi.version import __version__

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
