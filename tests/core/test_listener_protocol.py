"""What listeners say, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.listeners.protocol import MAX_LINE, MAX_RESULT, ListenerProtocol, ListenerState, Word


def busy() -> ListenerProtocol:
    protocol = ListenerProtocol()
    protocol.feed(b"READY\n")
    protocol.sent()
    return protocol


def words(protocol: ListenerProtocol, data: bytes) -> list[Word]:
    return [saying.word for saying in protocol.feed(data)]


def test_a_listener_is_ready_once_it_says_so() -> None:
    protocol = ListenerProtocol()
    assert protocol.state is ListenerState.ACKNOWLEDGED
    assert words(protocol, b"REA") == []
    assert words(protocol, b"DY\n") == [Word.READY]
    assert protocol.state is ListenerState.READY


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (b"RESULT 2\nOK", Word.DONE),
        (b"RESULT 4\nFAIL", Word.REFUSED),
        (b"RESULT 0\n", Word.REFUSED),
        (b"RESULT 5\nmaybe", Word.REFUSED),
        (b"RESULT 2\nok", Word.REFUSED),
        (b"RESULT 2 \r\nOK", Word.DONE),
    ],
)
def test_a_result_settles_an_event(said: bytes, word: Word) -> None:
    protocol = busy()
    assert words(protocol, said) == [word]
    assert protocol.state is ListenerState.ACKNOWLEDGED
    assert words(protocol, b"READY\n") == [Word.READY]


def test_a_result_and_the_next_ready_may_come_at_once() -> None:
    protocol = busy()
    assert words(protocol, b"RESULT 2\nOKREADY\n") == [Word.DONE, Word.READY]


@given(st.data())
def test_it_does_not_matter_where_reads_end(data: st.DataObject) -> None:
    said = b"RESULT 4\nFAILREADY\n"
    protocol = busy()
    found: list[Word] = []
    while said:
        length = data.draw(st.integers(1, len(said)))
        found += words(protocol, said[:length])
        said = said[length:]
    assert found == [Word.REFUSED, Word.READY]


@pytest.mark.parametrize(
    "said",
    [b"hello\n", b"ready\n", b"READY \n", b"\nREADY\n", b"R\n", b"RESULT 2\nOK", b"x"],
)
def test_anything_but_ready_is_a_violation(said: bytes) -> None:
    protocol = ListenerProtocol()
    (saying,) = protocol.feed(said)
    assert saying.word is Word.VIOLATION
    assert "where READY was due" in saying.detail
    assert protocol.state is ListenerState.UNKNOWN


def test_speaking_before_an_event_came_is_a_violation() -> None:
    protocol = ListenerProtocol()
    assert words(protocol, b"READY\nREADY\n") == [Word.READY, Word.VIOLATION]


@pytest.mark.parametrize(
    "said",
    [
        b"OK\n",
        b"READY\n",
        b"RESULT\n",
        b"RESULT two\n",
        b"RESULT -1\n",
        b"RESULT 2 3\n",
        b"RESULTXX 2\n",
        b"RESULT " + b"9" * MAX_LINE,
        f"RESULT {MAX_RESULT + 1}\n".encode(),
        b"result 2\nOK",
    ],
)
def test_anything_but_a_result_is_a_violation(said: bytes) -> None:
    protocol = busy()
    (saying,) = protocol.feed(said)
    assert saying.word is Word.VIOLATION
    assert "where RESULT and a length were due" in saying.detail


def test_the_usual_mistake_is_named() -> None:
    protocol = busy()
    said = protocol.feed(b"RESULT 2\nOK\nREADY\n")
    assert [saying.word for saying in said] == [Word.DONE, Word.VIOLATION]
    assert said[1].detail == "it said '\\nREADY\\n' where READY was due"


def test_nothing_counts_after_a_violation() -> None:
    protocol = ListenerProtocol()
    protocol.feed(b"no\n")
    assert protocol.feed(b"READY\n") == []
    assert protocol.state is ListenerState.UNKNOWN


@pytest.mark.fault("W4")
@given(st.lists(st.binary(max_size=200), max_size=30))
def test_no_babble_makes_it_hold_more_than_one_message(pieces: list[bytes]) -> None:
    protocol = busy()
    for piece in pieces:
        protocol.feed(piece)
        if protocol.state is ListenerState.READY:
            protocol.sent()
    assert len(protocol._buffer) <= MAX_RESULT + MAX_LINE
