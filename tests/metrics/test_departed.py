"""Removed processes are remembered for five minutes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kahi_metrics.departed import KEPT_FOR, Departed


def process(name: str) -> Any:
    return SimpleNamespace(name=name)


def test_five_minutes() -> None:
    now = 1000.0
    departed = Departed(lambda: now)
    departed.note(process("a"))
    now += 100
    departed.note(process("b"))
    now += KEPT_FOR - 101
    assert [each.name for each in departed] == ["a", "b"]
    now += 1
    assert [each.name for each in departed] == ["b"]
    now += 100
    assert list(departed) == []
    assert KEPT_FOR == 300


def test_one_that_leaves_again_counts_from_then() -> None:
    now = 0.0
    departed = Departed(lambda: now)
    departed.note(process("a"))
    departed.note(process("b"))
    now = 200
    second = process("a")
    departed.note(second)
    now = 301
    assert list(departed) == [second]


def test_nobody_has_to_look_for_the_old_ones_to_be_forgotten() -> None:
    now = 0.0
    departed = Departed(lambda: now)
    for number in range(1000):
        now += 1
        departed.note(process(f"p{number}"))
    assert len(departed._left) == 300
