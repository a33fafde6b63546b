"""The actions of a chaos run: a function of the seed."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.sequence import BETWEEN_PEACE, LONGEST_PAUSE, Kind, actions
from tests.chaos.shape import LISTENERS, Shape
from tests.chaos.world import PERFORMERS

SEEDS = st.integers(min_value=0, max_value=2**31)


@given(SEEDS)
def test_a_seed_gives_the_same_actions_again(seed: int) -> None:
    assert list(islice(actions(seed), 200)) == list(islice(actions(seed), 200))


@given(SEEDS)
def test_only_edits_and_peace_change_the_configuration(seed: int) -> None:
    shape = Shape()
    for action in islice(actions(seed), 300):
        if action.kind not in (Kind.EDIT, Kind.PEACE):
            assert action.shape == shape
        shape = action.shape


@given(SEEDS)
def test_peace_comes_at_intervals_and_with_everything_as_it_was(seed: int) -> None:
    drawn = list(islice(actions(seed), 3 * (BETWEEN_PEACE + 1)))
    places = [number for number, action in enumerate(drawn) if action.kind is Kind.PEACE]
    assert places == [BETWEEN_PEACE, 2 * BETWEEN_PEACE + 1, 3 * BETWEEN_PEACE + 2]
    for place in places:
        assert drawn[place].shape == Shape(version=drawn[place].shape.version)


@given(SEEDS)
def test_what_is_aimed_at_is_there(seed: int) -> None:
    for action in islice(actions(seed), 300):
        assert 0 <= action.pause <= LONGEST_PAUSE
        if action.kind in (Kind.SIGNAL_CHILD, Kind.OPERATE, Kind.FLOOD, Kind.FEED):
            assert action.target in (*action.shape.processes, *LISTENERS)


def test_everything_happens_and_can_be_done() -> None:
    assert {action.kind for action in islice(actions(1), 2000)} == set(Kind)
    assert {*PERFORMERS, Kind.PEACE} == set(Kind)
