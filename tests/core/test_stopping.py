"""Stopping many processes while some of them fail."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import anyio.to_thread
import pytest

from kahi.config.config import Config
from kahi.definition import ProcessDefinition, SpawnSpec, StartPolicy, StopPolicy
from kahi.lifecycle import State
from tests.core.fakes import FakeClockLoop, FakeSystem, supervise


@pytest.fixture
def loop() -> Iterator[FakeClockLoop]:
    loop = FakeClockLoop()
    yield loop
    loop.close()


def definition(name: str, priority: int) -> ProcessDefinition:
    """A process that is up at once."""
    return ProcessDefinition(
        name=name,
        program=name,
        group=name,
        spawn=SpawnSpec(command=("/bin/prog", name), stdin="null"),
        priority=priority,
        start=StartPolicy(startsecs=0),
        stop=StopPolicy(wait=10),
    )


def test_one_that_fails_while_others_are_stopped_stays_down(loop: FakeClockLoop) -> None:
    """Its restart is under way when its turn to be stopped comes."""
    system = FakeSystem(loop)
    supervisor = supervise(loop, system, [definition("slow", 900), definition("failing", 1)])
    slow, failing = supervisor.process("slow"), supervisor.process("failing")
    loop.finish(supervisor.start([slow, failing]))
    system.stubborn = True
    stopping = loop.create_task(supervisor.stop([slow, failing], strict=True))
    loop.pass_time(5)
    assert slow.state is State.STOPPING
    for _ in range(2):
        # After the first time it comes back at once.
        supervisor.recovery.restart(failing, "it fails")
        system.end(failing.pid, None, signal.SIGTERM)
        loop.settle()
    assert (failing.state, supervisor.recovery.is_pending(failing)) == (State.STOPPED, True)
    loop.call_soon(system.end, slow.pid, 0)
    outcomes = loop.finish(stopping)
    assert [outcome.ok for outcome in outcomes] == [True, True]
    loop.pass_time(100)
    assert {slow.state, failing.state} == {State.STOPPED}
    supervisor._host.reaper.close()


def test_one_that_leaves_does_not_come_back_though_it_failed_meanwhile(
    loop: FakeClockLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started and failed while the reload waited for another, and was about to be restarted."""
    system = FakeSystem(loop)
    leaver = replace(definition("leaving", 900), start=StartPolicy(startsecs=0, restart_delay=100))
    supervisor = supervise(loop, system, [definition("slow", 1), leaver])
    slow, leaving = supervisor.process("slow"), supervisor.process("leaving")
    loop.finish(supervisor.start([slow, leaving]))
    system.stubborn = True

    async def nothing_left(_load: object) -> Config:
        return replace(supervisor.config, groups={})

    monkeypatch.setattr(anyio.to_thread, "run_sync", nothing_left)
    reloading = loop.create_task(supervisor.update())
    loop.settle()
    system.end(leaving.pid, 0)
    loop.settle()
    assert (leaving.state, slow.state) == (State.STOPPED, State.STOPPING)
    loop.finish(supervisor.start([leaving]))
    loop.pass_time(1.5)
    system.end(leaving.pid, 1)
    loop.settle()
    assert (leaving.state, leaving.record.deadline is not None) == (State.EXITED, True)
    system.end(slow.pid, 0)
    loop.finish(reloading)
    assert not supervisor.processes
    loop.pass_time(200)
    assert system.living() == []
    supervisor._host.reaper.close()
