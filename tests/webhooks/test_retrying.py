"""When attempts are repeated, and when a receiver is left alone."""

from __future__ import annotations

import anyio
import pytest
from tenacity import Future, RetryCallState

from kahi_webhooks.circuit import PROBE_INTERVAL, Circuit
from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.retrying import delay, repeated, retry_after


def waiting(attempt: int, error: AttemptFailed, chance: float = 0.5) -> float:
    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = attempt
    state.outcome = Future.construct(attempt, error, has_exception=True)
    return delay(state, lambda: chance)


def test_delays_double_up_to_a_minute() -> None:
    failed = AttemptFailed("x")
    assert [waiting(attempt, failed) for attempt in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert waiting(1, failed, chance=0.0) == pytest.approx(0.9)
    assert waiting(7, failed, chance=1.0) == pytest.approx(66)


def test_a_receiver_may_ask_for_more_but_not_for_less() -> None:
    assert waiting(1, AttemptFailed("x", retry_after=30)) == 30
    assert waiting(6, AttemptFailed("x", retry_after=3)) == 32


NOW = 784_887_151.0
"""Wed, 15 Nov 1994 08:12:31 GMT"""


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("7", 7),
        (" 0.3 ", 0.3),
        ("-5", 0),
        ("1e9", 300),
        ("inf", 300),
        ("nan", 0),
        ("soon", 0),
        ("Tue, 15 Nov 1994 08:12:41 GMT", 10),
        ("Tue, 15 Nov 1994 08:12:41 -0000", 10),
        ("Tue, 15 Nov 1994 08:12:21 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 300),
        ("Tue, 99 Nov 1994 08:12:31 GMT", 0),
        (f"Tue, 15 Nov 1994 08:12:31 +{'9' * 20}", 0),
    ],
)
def test_retry_after(header: str, seconds: float) -> None:
    assert retry_after(header, NOW) == pytest.approx(seconds)


def run(
    outcomes: list[AttemptFailed | int], retries: int, *, closing: bool = False
) -> tuple[int, list[float]]:
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    async def attempt() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, AttemptFailed):
            raise outcome
        return outcome

    return anyio.run(repeated, attempt, retries, pause, lambda: closing), paused


def test_a_failure_of_the_moment_is_repeated() -> None:
    status, paused = run([AttemptFailed("a"), AttemptFailed("b"), 204], 3)
    assert status == 204
    assert [round(seconds) for seconds in paused] == [1, 2]


def test_the_last_failure_is_told() -> None:
    with pytest.raises(AttemptFailed, match="c"):
        run([AttemptFailed("a"), AttemptFailed("b"), AttemptFailed("c"), 200], 2)


@pytest.mark.parametrize("closing", [True, False])
def test_no_second_attempt_when_it_is_of_no_use(closing: bool) -> None:
    outcomes: list[AttemptFailed | int] = [AttemptFailed("no", temporary=closing), 200]
    with pytest.raises(AttemptFailed, match="no"):
        run(outcomes, 5, closing=closing)
    assert outcomes == [200]


@pytest.mark.fault("W1")
def test_the_circuit_opens_after_five_failures_in_a_row() -> None:
    circuit = Circuit()
    for _ in range(4):
        circuit.failed(100)
    circuit.succeeded()
    for _ in range(4):
        circuit.failed(100)
    assert not circuit.is_open
    assert circuit.wait(100) == 0
    circuit.failed(100)
    assert circuit.is_open
    assert circuit.wait(100) == PROBE_INTERVAL
    assert circuit.wait(150) == PROBE_INTERVAL - 50
    assert circuit.wait(1000) == 0


def test_a_probe_closes_the_circuit_or_keeps_it_open() -> None:
    circuit = Circuit()
    for _ in range(5):
        circuit.failed(0)
    circuit.failed(PROBE_INTERVAL)
    assert circuit.wait(PROBE_INTERVAL) == PROBE_INTERVAL
    circuit.succeeded()
    assert not circuit.is_open
    circuit.failed(1000)
    assert not circuit.is_open
