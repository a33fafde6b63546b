"""What SECURITY.md promises, as a part of the page that explains it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parent.parent.parent / "SECURITY.md"


def fragment() -> str:
    """Everything but the title, with links as they are seen from docs/explanation/."""
    _, _, text = SOURCE.read_text(encoding="utf-8").partition("\n")
    return text.strip().replace("](docs/", "](../")
