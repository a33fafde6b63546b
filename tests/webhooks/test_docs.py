"""What the document on webhooks shows is what is sent."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kahi_webhooks.signature import signature
from kahi_webhooks.templates import FORMS, make_form
from kahi_webhooks.templates.own import GENERAL
from tests.webhooks.samples import CRASHED, KEY, notice
from tests.webhooks.test_forms import format_of

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "how-to" / "webhooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_samples(form: str) -> None:
    found = re.search(rf"### {form}\n\n```json\n(.*?)```", TEXT, re.DOTALL)
    assert found
    sample = json.loads(found[1])
    jsonschema.validate(sample, format_of(form))
    assert sample == json.loads(make_form(form, KEY).body(notice(CRASHED)))


def test_the_receiver_that_is_shown_knows_our_signature() -> None:
    found = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    check = names["is_from_kahi"]
    now = int(time.time())
    good = signature("s3cret", b"body", now)
    assert check(b"s3cret", good, b"body")
    assert not check(b"other", good, b"body")
    assert not check(b"s3cret", good, b"bodY")
    assert not check(b"s3cret", signature("s3cret", b"body", now - 1000), b"body")


def test_every_placeholder_is_named() -> None:
    for place in GENERAL:
        assert f"`{place}`" in TEXT
