"""What goes on when descriptors have run out for a while."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import anyio.to_thread
import pytest

from kahi.definition import ProcessDefinition, SpawnSpec, StartPolicy, StopPolicy, StreamSettings
from kahi.lifecycle import State
from kahi.output.channel import Channel
from kahi.output.pump import Pump
from kahi.output.streamkey import StreamKey
from kahi.supervisor.memory import INTERVAL
from kahi.system import ProcessEntry, System
from tests.core.fakes import FakeClockLoop, FakeSystem, supervise

EMFILE = OSError(errno.EMFILE, os.strerror(errno.EMFILE))

WORKER = ProcessDefinition(
    name="worker",
    program="worker",
    group="worker",
    spawn=SpawnSpec(command=("/bin/prog", "worker"), stdin="null"),
    start=StartPolicy(startsecs=0),
    stop=StopPolicy(wait=10, kill_as_group=True),
)


class Exhausted(FakeSystem):
    """Whose process table can not be read while ``is_short``."""

    is_short = False
    memory = 0

    def process_table(self) -> list[ProcessEntry]:
        if self.is_short:
            raise EMFILE
        return [replace(entry, memory=self.memory) for entry in super().process_table()]


@pytest.fixture
def loop() -> Iterator[FakeClockLoop]:
    made = FakeClockLoop()
    yield made
    made.close()


def test_what_a_process_leaves_behind_is_ended_once_it_can_be_seen(loop: FakeClockLoop) -> None:
    system = Exhausted(loop)
    supervisor = supervise(loop, system, [WORKER])
    worker = supervisor.process("worker")
    loop.finish(supervisor.start([worker]))
    left_behind = system.fork(leader=False, group=worker.pid)
    system.is_short = True
    system.end(worker.pid, 0)
    loop.pass_time(1)
    assert worker.state is State.RUNNING
    system.is_short = False
    loop.pass_time(1)
    assert worker.state is State.EXITED
    assert left_behind.signals[0] == signal.SIGTERM
    supervisor._host.reaper.close()


def test_without_any_process_table_nobody_waits(loop: FakeClockLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakeSystem(loop)
    supervisor = supervise(loop, system, [WORKER])
    worker = supervisor.process("worker")
    loop.finish(supervisor.start([worker]))

    def no_table() -> list[ProcessEntry]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "ps")

    monkeypatch.setattr(system, "process_table", no_table)
    system.end(worker.pid, 0)
    loop.settle()
    assert worker.state is State.EXITED
    supervisor._host.reaper.close()


def test_the_memory_of_processes_is_looked_at_again(
    loop: FakeClockLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(look: Callable[[], list[ProcessEntry]]) -> list[ProcessEntry]:
        return look()

    monkeypatch.setattr(anyio.to_thread, "run_sync", at_once)
    system = Exhausted(loop)
    supervisor = supervise(loop, system, [replace(WORKER, max_memory=1000)])
    worker = supervisor.process("worker")
    loop.finish(supervisor.start([worker]))
    system.is_short = True
    system.memory = 2000
    loop.pass_time(5 * INTERVAL)
    assert worker.restarts == 0
    system.is_short = False
    loop.pass_time(INTERVAL)
    assert worker.restarts == 1
    supervisor._host.reaper.close()


@pytest.mark.parametrize(("code", "is_permanent"), [(errno.EMFILE, False), (errno.EACCES, True)])
def test_a_log_that_can_not_be_opened_now_may_be_later(code: int, is_permanent: bool) -> None:
    class Refusing:
        def __init__(self) -> None:
            self.channels: set[Channel] = set()

        def open(self, channel: Channel, *, create: bool) -> None:
            raise OSError(code, os.strerror(code), channel.settings.logfile)

    refusing = Refusing()
    pump = Pump(refusing, refusing, System())  # type: ignore[arg-type]
    channel = Channel(StreamKey("a", "a", "stdout"), StreamSettings(logfile="/a.log"), lambda: None)
    error = pump.open(channel)
    assert error is not None
    assert (error.errno, error.permanent) == (code, is_permanent)


def test_a_child_is_not_lost_for_want_of_a_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything closed that got the numbers of the last one."""
    system = System()
    system._descriptors_of_children = resource.getrlimit(resource.RLIMIT_NOFILE)
    system._reserve = os.pipe()

    def no_pipe() -> tuple[int, int]:
        raise EMFILE

    with monkeypatch.context() as patched, system._limits_of_children():
        patched.setattr(os, "pipe", no_pipe)
    others = os.pipe()
    with system._limits_of_children():
        assert all(os.fstat(fd) for fd in others)
    for fd in (*others, *system._reserve):
        os.close(fd)
