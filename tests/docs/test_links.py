"""Links within the repository lead somewhere: to a file, and to a heading of it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from docs.generate.site import PAGES, completed
from tests.docs.blocks import DOCS, DOCUMENTS
from tests.support import ROOT

PAGES_WITH_LINKS = [*DOCUMENTS, *(path for path in ROOT.glob("*.md") if path.name != "README.md")]


@cache
def text_of(path: Path) -> str:
    """A page, as it is in the repository or as it is generated."""
    if path.is_relative_to(DOCS) and (name := str(path.relative_to(DOCS))) in PAGES:
        return PAGES[name]()
    return completed(path.read_text(encoding="utf-8"))


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """What a link to a heading of a page may be, on GitHub and on the site."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE):
        if named := re.search(r"\{ #([\w.-]+) \}$", heading):
            found.add(named[1])
        else:
            found.add(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-"))
    return frozenset(found)


@pytest.mark.parametrize("path", PAGES_WITH_LINKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_they_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text_of(path)):
        if "://" in target or target.startswith("mailto:"):
            continue
        leads_to = (path.parent / target).resolve() if target else path
        generated = leads_to.is_relative_to(DOCS) and str(leads_to.relative_to(DOCS)) in PAGES
        assert generated or leads_to.exists(), target
        assert not anchor or anchor in anchors_of(leads_to), f"{target}#{anchor}"


def test_what_is_read_in_the_repository_leads_to_pages_that_are_there() -> None:
    """The README is read where nothing is generated."""
    for path in (path for path in PAGES_WITH_LINKS if not path.is_relative_to(DOCS)):
        for target in re.findall(r"\]\(([^)#:]+)[)#]", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
