"""The queues between the event loop and the data plane."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Iterator

import pytest

from kahi.output.exchange import MUCH, Exchange
from kahi.output.pump import Pump
from kahi.system import System


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs for as long as a test says."""
    found = asyncio.new_event_loop()
    yield found
    found.close()


@pytest.fixture
def exchange(loop: asyncio.AbstractEventLoop) -> Iterator[Exchange]:
    """An exchange of that loop."""
    found = Exchange(System(), loop)
    yield found
    found.close()


def nothing(pump: Pump) -> None:
    """An order."""


def is_woken(exchange: Exchange) -> bool:
    """Whether the data plane would look."""
    return bool(select.select([exchange.wake_fd], [], [], 0)[0])


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop go on for one turn."""
    loop.run_until_complete(asyncio.sleep(0))


def test_a_turn_of_the_loop_wakes_once_at_its_end(
    loop: asyncio.AbstractEventLoop, exchange: Exchange
) -> None:
    for _ in range(3):
        exchange.order(None, nothing)
    assert not is_woken(exchange)
    turn(loop)
    assert is_woken(exchange)
    exchange.acknowledge()
    assert [exchange.take() for _ in range(4)] == [(None, nothing)] * 3 + [None]
    turn(loop)
    assert not is_woken(exchange)


def test_a_long_turn_does_not_keep_many_orders_waiting(exchange: Exchange) -> None:
    for _ in range(MUCH):
        exchange.order(None, nothing)
    assert is_woken(exchange)


def test_other_threads_wake_at_once(exchange: Exchange) -> None:
    thread = threading.Thread(target=exchange.order, args=(None, nothing))
    thread.start()
    thread.join()
    assert is_woken(exchange)


def test_orders_after_a_wake_wake_again(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    for _ in range(2):
        exchange.order(None, nothing)
        turn(loop)
        assert is_woken(exchange)
        exchange.acknowledge()
        exchange.take()


def test_news_that_raises_holds_up_no_other(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    told: list[str] = []
    reported: list[object] = []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    wrong = ValueError("wrong")

    def raising() -> None:
        raise wrong

    for news in (lambda: told.append("before"), raising, lambda: told.append("behind")):
        exchange.report(news)
    for _ in range(3):
        turn(loop)
    assert (told, reported) == (["before", "behind"], [wrong])


def test_news_without_end_leave_the_loop_time_for_others(
    loop: asyncio.AbstractEventLoop, exchange: Exchange
) -> None:
    told = 0

    def again() -> None:
        nonlocal told
        told += 1
        if told < 1000:
            exchange.report(again)

    exchange.report(again)
    for _ in range(3):
        turn(loop)
    assert told < 10


def test_orders_are_accepted_when_the_loop_is_closed() -> None:
    other = asyncio.new_event_loop()
    late = Exchange(System(), other)
    other.close()
    late.order(None, nothing)
    assert late.take() == (None, nothing)
    late.close()
