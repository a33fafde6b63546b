"""What the page remembers of the last 15 minutes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kahi.events import ProcessStateEvent
from kahi.lifecycle import State
from kahi.usage import Load
from kahi_webui.curves import polylines
from kahi_webui.samples import KEPT, Samples
from kahi_webui.timeline import MAX_CHANGES, WINDOW, Span, Timelines
from kahi_webui.wording import percent, size, spoken

STATES = [state.name for state in State]


def change(name: str, state: str, at: float) -> ProcessStateEvent:
    event = ProcessStateEvent(name=name, group=name, state=state, from_state="STOPPED")
    object.__setattr__(event, "time", at)
    return event


def test_a_process_of_which_nothing_is_known_was_always_as_it_is() -> None:
    assert Timelines().spans("x", "RUNNING", 5000.0) == [Span("RUNNING", 4100.0, 5000.0)]


def test_what_came_before_the_window_is_cut_off() -> None:
    lines = Timelines()
    for state, at in (("STARTING", 1000.0), ("RUNNING", 1001.0), ("EXITED", 4500.0)):
        lines.note(change("x", state, at))
    assert lines.spans("x", "EXITED", 5000.0) == [
        Span("RUNNING", 4100.0, 4500.0),
        Span("EXITED", 4500.0, 5000.0),
    ]


@given(st.lists(st.tuples(st.floats(0, 2000), st.sampled_from(STATES)), max_size=400))
def test_spans_follow_each_other_to_now(changes: list[tuple[float, str]]) -> None:
    lines = Timelines()
    now = 0.0
    for wait, state in changes:
        now += wait
        lines.note(change("x", state, now))
    now += 1.0
    spans = lines.spans("x", "STOPPED", now)
    assert spans
    assert len(spans) <= MAX_CHANGES
    assert spans[-1].end == now
    assert spans[0].begin >= now - WINDOW
    for before, after in pairwise(spans):
        assert before.end == after.begin


def test_processes_that_are_gone_are_forgotten() -> None:
    lines = Timelines()
    lines.note(change("x", "RUNNING", 1.0))
    lines.keep_only({"y"})
    assert lines.spans("x", "STOPPED", 2.0)[0].state == "STOPPED"


@given(st.integers(0, 3 * KEPT))
def test_samples_are_the_newest_in_order(count: int) -> None:
    samples = Samples()
    for number in range(count):
        samples.add(float(number), {"x": Load(number, number * 2)} if number % 3 else {})
    expected = [float(number) if number % 3 else None for number in range(count)][-KEPT:]
    if count < 2:
        expected = [None] * count
    assert samples.cpu("x") == expected
    assert samples.memory("x") == [None if value is None else value * 2 for value in expected]
    assert samples.cpu("unknown") == [None] * min(count, KEPT)


def test_curves_break_where_nothing_is_known_and_end_at_the_right_edge() -> None:
    first, second = polylines([None, 0.0, 5.0, None, 10.0], 10.0)
    assert first.count(",") == 2
    assert second == "900.0,1.0"


def test_wording() -> None:
    assert percent(None) == ""
    assert percent(3.14159) == "3.1 %"
    assert percent(250.4) == "250 %"
    assert size(512) == "512 B"
    assert size(13 * 1024 * 1024) == "13.0 MiB"
    assert size(812 * 1024**3) == "812 GiB"
    spans = [Span("RUNNING", 0, 840), Span("BACKOFF", 840, 860), Span("RUNNING", 860, 900)]
    assert spoken(spans) == "last 15 minutes: running 15 min, backoff 20 s"
