"""Output streams on a real data plane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from kahi.definition import StreamSettings
from kahi.errors import SpawnError
from kahi.events import EventBus
from kahi.output import DataPlane, OutputSettings, OutputStream, StreamKey
from kahi.system import System


@asynccontextmanager
async def running_plane() -> AsyncIterator[DataPlane]:
    """A data plane, until its last output is delivered."""
    loop = asyncio.get_running_loop()
    plane = DataPlane(OutputSettings(), System(), loop, EventBus(time.time))
    plane.start()
    last = plane.stream(StreamKey("kahi", "", "log"), StreamSettings(logfile="/dev/null"))
    try:
        yield plane
    finally:
        assert await plane.close(5, last)


async def opened(stream: OutputStream) -> SpawnError | None:
    """Open a stream; returns why that is impossible."""
    future: asyncio.Future[SpawnError | None] = asyncio.get_running_loop().create_future()
    stream.open(future.set_result)
    return await future


def test_a_log_that_is_moved_while_it_is_opened_is_opened_anew_at_the_next_start(tmp_path: Path) -> None:
    before, after = tmp_path.resolve() / "before.log", tmp_path.resolve() / "after.log"

    async def main() -> None:
        async with running_plane() as plane:
            settings = StreamSettings(logfile=str(before))
            stream = plane.stream(StreamKey("a", "a", "stdout"), settings)
            first = asyncio.ensure_future(opened(stream))
            await asyncio.sleep(0)
            stream.reconfigure(replace(settings, logfile=str(after)))
            assert await first is None
            assert await opened(stream) is None
            stream.feed(b"x\n")

    asyncio.run(main())
    assert after.read_bytes() == b"x\n"


def test_a_log_that_is_moved_while_it_is_looked_for_is_opened_anew_at_the_next_start(tmp_path: Path) -> None:
    before, after = tmp_path.resolve() / "before.log", tmp_path.resolve() / "after.log"
    before.write_bytes(b"y\n")

    async def main() -> None:
        async with running_plane() as plane:
            settings = StreamSettings(logfile=str(before))
            stream = plane.stream(StreamKey("a", "a", "stdout"), settings)
            reading = asyncio.ensure_future(stream.read(0, 100))
            await asyncio.sleep(0)
            stream.reconfigure(replace(settings, logfile=str(after)))
            assert (await reading).data == b"y\n"
            assert await opened(stream) is None
            stream.feed(b"x\n")

    asyncio.run(main())
    assert after.read_bytes() == b"x\n"
