"""Events: how late the event loop is while 10,000 of them a second go to three subscribers.

`python -m benchmarks.events` prints one line; supervisord has no counterpart to measure beside.
"""

from __future__ import annotations

import asyncio
import time

from kahi.events import EventBus, ProcessStateEvent

RATE = 10_000
SECONDS = 10
TURN = 0.01
"""Seconds between two bursts, each of ``RATE * TURN`` events."""


async def lags() -> tuple[list[float], int]:
    """By how much each turn of the loop came late, and how many events the slowest subscriber lost."""
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
        due = time.perf_counter()
        for _ in range(int(SECONDS / TURN)):
            for number in range(int(RATE * TURN)):
                bus.publish(
                    ProcessStateEvent(
                        name=f"p{number}", group="g", state="RUNNING", from_state="STARTING", pid=number
                    )
                )
            due += TURN
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            found.append(time.perf_counter() - due)
        dropped = queue.dropped
        consumer.cancel()
    assert min(seen) == RATE * SECONDS
    return found, dropped


def main() -> None:
    """Measure, and print."""
    found, dropped = asyncio.run(lags())
    found.sort()
    middle, late = found[len(found) // 2], found[int(len(found) * 0.99)]
    print(
        f"{RATE} events/s to 3 subscribers for {SECONDS} s: loop lag median {middle * 1000:.2f} ms,"
        f" p99 {late * 1000:.2f} ms, {dropped} events dropped"
    )


if __name__ == "__main__":
    main()
