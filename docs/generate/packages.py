"""The distributions and what each needs, from their own metadata."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from docs.generate.markdown import code, table

ROOT: Final = Path(__file__).resolve().parent.parent.parent


def fragment() -> str:
    """The table."""
    rows = [_row(path) for path in sorted(ROOT.glob("kahi-*/pyproject.toml"))]
    return "\n".join(table(("package", "what it is", "needs"), rows)).strip()


def _row(path: Path) -> tuple[str, ...]:
    project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    needs = (re.split(r"[<>=\[;]", each)[0].strip() for each in project["dependencies"])
    return code(project["name"]), project["description"], ", ".join(needs)
