"""Every block of code in the documents has a language that somebody checks, and is right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from docs.generate.site import PAGES
from tests.docs.blocks import BLOCKS, Block, blocks_in
from tests.docs.checkers import CHECKERS, check_json
from tests.support import ROOT

RUN_BY = {
    "docs/how-to/api-routes.md": "tests/docs/test_examples.py",
    "docs/how-to/client.md": "tests/e2e/test_client_document.py",
    "docs/how-to/event-listeners.md": "tests/e2e/test_listeners.py",
    "docs/how-to/event-plugin.md": "tests/docs/test_examples.py",
    "docs/how-to/health-checks.md": "tests/e2e/test_health.py",
    "docs/how-to/metrics.md": "tests/metrics/test_daemon.py",
    "docs/how-to/plugins.md": "tests/docs/test_examples.py",
    "docs/how-to/replace-supervisord.md": "tests/migrate/test_howto.py",
    "docs/how-to/webhooks.md": "tests/webhooks/test_docs.py",
    "docs/how-to/worker-pools.md": "tests/docs/test_examples.py",
    "docs/tutorial/first-project.md": "tests/docs/test_tutorial.py",
    "examples/kahi-plugin-notify/README.md": "tests/testing/test_example.py",
    "kahi-api/README.md": "tests/docs/test_examples.py",
}
"""Which test runs the Python of a page."""


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_it_is_right(block: Block, tmp_path: Path) -> None:
    assert block.language in CHECKERS, f"{block}: say which language it is in"
    CHECKERS[block.language](block, tmp_path)


def test_all_python_is_run() -> None:
    assert {block.page for block in BLOCKS if block.language == "python"} == set(RUN_BY)
    for page, test in RUN_BY.items():
        text = (ROOT / test).read_text(encoding="utf-8")
        assert Path(page).name in text, f"{test} does not read {page}"


@pytest.mark.parametrize("page", PAGES)
def test_generated_pages_too(page: str, tmp_path: Path) -> None:
    for block in blocks_in(PAGES[page](), page):
        assert block.language in ("json", "python", "sh", "text")
        if block.language == "json":
            check_json(block, tmp_path)
        elif block.language == "python":
            ast.parse(block.text)
