"""Who is blamed for a turn of the event loop that took too long."""

from __future__ import annotations

import logging

import pytest

from kahi.daemon.culprit import Culprit
from kahi.daemon.watch import LoopWatch

HOOK = Culprit("plugin a: kahi_setup", "a", "a.py:1 (setup)", importing=False)
IMPORT = Culprit("plugin b: service server", "b", "b.py:1 (serve)", importing=True)


@pytest.mark.parametrize(
    ("seen", "took", "blamed"),
    [
        ([HOOK], 0.12, ["a"]),
        ([HOOK], 0.09, []),
        ([IMPORT] * 6, 0.3, []),
        ([*[IMPORT] * 5, HOOK], 0.3, []),
        ([*[IMPORT] * 2, *[HOOK] * 4], 0.3, ["a"]),
    ],
    ids=["a hook", "a short one", "imports", "a glimpse between imports", "a hook that imports a little"],
)
def test_a_turn_is_judged(
    seen: list[Culprit], took: float, blamed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    stalls: list[str] = []
    watch = LoopWatch(lambda _: "", stalls.append)
    watch._seen = list(seen)
    with caplog.at_level(logging.WARNING, "kahi.daemon.watch"):
        watch._judge(took)
    assert stalls == blamed
    assert [record.getMessage().partition(" held")[0] for record in caplog.records] == [
        f"plugin {name}: kahi_setup" for name in blamed
    ]
