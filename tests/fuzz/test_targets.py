"""Some hundred inputs for each target, the same in each test run; `make fuzz` goes on from there."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS

EXAMPLES = {"config": 100, "migration": 50, "http": 100, "ledger": 50}
"""For those that take their time; 200 for others."""


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    TARGETS[name].feeder(max_examples=EXAMPLES.get(name, 200))()
