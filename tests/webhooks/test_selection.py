"""Which processes a webhook is told of."""

from __future__ import annotations

import pytest

from kahi_webhooks.selection import concerns


@pytest.mark.parametrize(
    ("patterns", "name", "group", "answer"),
    [
        ([], "web", "site", True),
        (["web"], "web", "site", True),
        (["web"], "web2", "site", False),
        (["web*"], "web2", "site", True),
        (["web", "db"], "db", "db", True),
        (["all"], "db", "db", True),
        (["site:*"], "web", "site", True),
        (["site:web"], "web", "site", True),
        (["site:db"], "web", "site", False),
        (["si*:we?"], "web", "site", True),
        (["db:*"], "web", "site", False),
        (["WEB"], "web", "site", False),
        (["web"], "", "", True),
    ],
)
def test_patterns(patterns: list[str], name: str, group: str, answer: bool) -> None:
    assert concerns(patterns, name, group) is answer
