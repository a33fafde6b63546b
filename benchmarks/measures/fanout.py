"""Events: how late the event loop is while many of them go to several subscribers."""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import percentile
from benchmarks.subjects import Subject, Unable
from benchmarks.workshop import Workshop, now

RATE = 10_000
TURN = 0.01
"""Seconds between two bursts, each of rate * TURN events."""


def events(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """10,000 events a second to two callbacks and a queue, through the bus of Kahi in this process.

    For 10 seconds (3 in a quick run): by how much the turns of the loop come late, and the processor time
    of each event.
    """
    return events_at(subject, workshop, RATE)


def events_at(subject: Subject, workshop: Workshop, rate: int) -> dict[str, float]:
    """``rate`` events a second to three subscribers: lag of the loop, CPU each second and each event."""
    if subject.name != "kahi":
        raise Unable
    seconds = 3 if workshop.quick else 10
    spent = time.process_time()
    lags = asyncio.run(_lags(rate, seconds))
    used = time.process_time() - spent
    return {
        "events": percentile(lags, 0.99),
        "CPU of events": used / seconds,
        "CPU of an event": used / (rate * seconds),
    }


async def _lags(rate: int, seconds: int) -> list[float]:
    """By how much each turn of the loop came late."""
    from kahi.events import EventBus, ProcessStateEvent

    bus = EventBus(time.time)
    seen = [0, 0]

    def count(number: int) -> None:
        seen[number] += 1

    bus.subscribe(lambda _: count(0), "PROCESS_STATE")
    bus.subscribe(lambda _: count(1))
    found: list[float] = []
    with bus.queue("PROCESS_STATE", limit=1000, owner="benchmark") as queue:

        async def consume() -> None:
            async for batch in queue:
                await asyncio.sleep(0.001 * len(batch) / 1000)

        consumer = asyncio.create_task(consume())
        due = now()
        for _ in range(int(seconds / TURN)):
            for number in range(int(rate * TURN)):
                bus.publish(
                    ProcessStateEvent(
                        name=f"p{number}", group="g", state="RUNNING", from_state="STARTING", pid=number
                    )
                )
            due += TURN
            await asyncio.sleep(max(0.0, due - now()))
            found.append(now() - due)
        consumer.cancel()
    assert min(seen) == int(rate * TURN) * int(seconds / TURN)
    return found
