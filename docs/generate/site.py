"""Which parts of the documents are generated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs.generate import (
    api,
    benchmarks,
    command_line,
    configuration,
    diagram,
    errors,
    events,
    exit_codes,
    hooks,
    lifecycle,
    metrics,
    packages,
    security,
)
from docs.generate.markdown import fenced

ROOT: Final = Path(__file__).resolve().parent.parent.parent
DOCS: Final = ROOT / "docs"

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/configuration.md": configuration.page,
    "reference/command-line.md": command_line.page,
    "reference/api.md": api.page,
    "reference/errors.md": errors.page,
    "reference/events.md": events.page,
    "reference/hooks.md": hooks.page,
    "reference/metrics.md": metrics.page,
    "reference/exit-codes.md": exit_codes.page,
}
"""Pages by their path in docs/; none of them is in the repository."""

FRAGMENTS: Final[Mapping[str, Callable[[], str]]] = {
    "lifecycle diagram": diagram.drawing,
    "lifecycle table": lifecycle.transition_table,
    "lifecycle events": lifecycle.event_table,
    "benchmarks": benchmarks.fragment,
    "packages": packages.fragment,
    "security": security.fragment,
}
"""Parts of pages that are written by hand: each takes the place of ``<!-- generated: NAME -->``. Beside them,
``file PATH`` shows a file of the repository."""

LANGUAGES: Final[Mapping[str, str]] = {".service": "ini"}
"""Languages of files that are shown, by how their names end."""

_MARK: Final = re.compile(r"^<!-- generated: (.+?) -->$", re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")


def completed(text: str) -> str:
    """A page with its generated parts in place.

    Raises:
        KeyError: it asks for one that there is not.
    """
    return _MARK.sub(lambda found: _part(found[1]), text)


def _part(name: str) -> str:
    kind, _, path = name.partition(" ")
    if kind != "file":
        return FRAGMENTS[name]()
    text = (ROOT / path).read_text(encoding="utf-8")
    return "\n".join(fenced(LANGUAGES[Path(path).suffix], text))


def within_the_site(text: str, page: Path) -> str:
    """A page without links to files that are in the repository only: what they are called stays.

    Args:
        page: where the text is from, which its links are relative to.
    """

    def rewritten(link: re.Match[str]) -> str:
        target = (page.parent / link[2]).resolve()
        if target.is_relative_to(DOCS) or not target.exists():
            return link[0]
        return f"{link[1]} (`{target.relative_to(ROOT)}` in the repository)"

    return _LINK.sub(rewritten, text)
