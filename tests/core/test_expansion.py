"""Expansion of names and variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.config.bounds import MAX_TEXT
from kahi.config.expansion import ExpansionError, expand

NAMES = {"here": "/etc/kahi", "process_num": 7, "program_name": "web"}
ENVIRON = {"HOME": "/home/kahi", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%(here)s/web.log", "/etc/kahi/web.log"),
        ("w%(process_num)02d", "w07"),
        ("%(process_num)x", "7"),
        ("${HOME}/x", "/home/kahi/x"),
        ("${NONE:-fallback}", "fallback"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${EMPTY}", ""),
        ("100%%", "100%"),
        ("$$HOME", "$HOME"),
        ("date +%s", "date +%s"),
        ("costs 5$", "costs 5$"),
        ("%%(here)s", "%(here)s"),
        ("$${HOME}", "${HOME}"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    assert expand(text, NAMES, ENVIRON) == expanded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%(nope)s", "%(nope)s is not defined here (defined: here, process_num, program_name)"),
        ("${NOPE}", "${NOPE} is not set"),
        ("%(here)d", "the format does not fit the value"),
        ("%(here)", "lacks its format"),
    ],
)
def test_what_can_not_be_expanded(text: str, reason: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        expand(text, NAMES, ENVIRON)
    assert reason in str(caught.value)


@pytest.mark.fault("C3")
def test_a_length_bomb_is_refused() -> None:
    with pytest.raises(ExpansionError):
        expand("%(process_num)999999d", NAMES, ENVIRON)
    with pytest.raises(ExpansionError):
        expand("${X}" * 1000, {}, {"X": "x" * MAX_TEXT})


@given(st.text())
def test_what_was_expanded_is_not_expanded_again(value: str) -> None:
    assert expand("${X}%(y)s", {"y": value}, {"X": value}) == value + value


@given(st.text(alphabet="%$(){}:-sd"))
def test_any_text_expands_or_says_why(text: str) -> None:
    try:
        expand(text, NAMES, ENVIRON)
    except ExpansionError as error:
        assert str(error)
