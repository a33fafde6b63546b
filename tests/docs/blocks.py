"""The documents, and every block of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

DOCS = ROOT / "docs"
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "benchmarks"),
    *sorted(ROOT.glob("kahi-*/README.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
"""All pages that are written by hand; those that are generated are not in the repository."""

_FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: where it stands, its language, the file that it is shown as, and what is in it."""

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> Iterator[Block]:
    """The blocks of a page in their order."""
    yield from blocks_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def blocks_in(text: str, page: str) -> Iterator[Block]:
    """The blocks of a text."""
    found = list(_FENCE.finditer(text))
    assert text.count("\n```") == 2 * len(found), f"{page}: a fence that is not understood"
    for match in found:
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, match[1], match[2] or "", match[3])


BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)]
