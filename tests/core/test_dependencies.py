"""Processes that wait for others, on a fake system."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from kahi.definition import ProcessDefinition, SpawnSpec, StartPolicy
from kahi.errors import SpawnError
from kahi.events import Event, ProcessStateEvent
from tests.core.fakes import FakeClockLoop, FakeStream, FakeSystem, supervise


@pytest.fixture
def loop() -> Iterator[FakeClockLoop]:
    made = FakeClockLoop()
    yield made
    made.close()


def opened_at_once(_stream: FakeStream, done: Callable[[SpawnError | None], None]) -> None:
    """What a stream does that is open already."""
    done(None)


def test_who_waits_is_started_once_though_others_wait_for_the_same(
    loop: FakeClockLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting one of them makes the other be looked at; it fails, and is not to be started again for that."""
    monkeypatch.setattr(FakeStream, "open", opened_at_once)
    system = FakeSystem(loop)
    definitions = [
        ProcessDefinition(
            name=name,
            program=name,
            group=name,
            spawn=SpawnSpec(command=("/bin/prog", name), stdin="null"),
            start=StartPolicy(startsecs=0),
            depends_on=() if name == "db" else (("db", "running"),),
        )
        for name in ("db", "mail", "web")
    ]
    supervisor = supervise(loop, system, definitions)
    spawn = system.spawn

    def spawn_all_but_one(path: str, argv: tuple[str, ...], *more: object, **options: object) -> int:
        if argv[-1] == "web":
            raise OSError(errno.ENOENT, "No such file or directory", path)
        return spawn(path, argv, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(system, "spawn", spawn_all_but_one)
    seen: Counter[tuple[str, str]] = Counter()

    def count(event: Event) -> None:
        assert isinstance(event, ProcessStateEvent)
        seen[event.name, event.state] += 1

    supervisor.events.subscribe(count, "PROCESS_STATE")
    waiting = [supervisor.process("mail"), supervisor.process("web")]
    loop.finish(supervisor.start(waiting, wait=False, on_request=False))
    loop.finish(supervisor.start([supervisor.process("db")], wait=False))
    loop.settle()
    assert seen["web", "FATAL"] == seen["web", "STARTING"] == seen["mail", "STARTING"] == 1
    supervisor._host.reaper.close()
