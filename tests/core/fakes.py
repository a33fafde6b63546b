"""An operating system and a clock that do what a test says."""

from __future__ import annotations

import asyncio
import errno
import os
import selectors
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kahi.config.config import Config
from kahi.config.models import SupervisorSettings
from kahi.definition import GroupDefinition, ProcessDefinition
from kahi.errors import SpawnError
from kahi.events import EventBus
from kahi.leftovers import GroupScans
from kahi.process import Host
from kahi.reaper import Reaper
from kahi.supervisor import Supervisor
from kahi.system import ExitInfo, ProcessEntry, System

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Does not wait: time jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class FakeClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing is left to do at the present moment."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def settle(self) -> None:
        """Let everything happen that happens now."""
        for _ in range(30):
            self.run_until_complete(asyncio.sleep(0))

    def pass_time(self, seconds: float) -> None:
        """Let that much time pass, and all that happens meanwhile."""
        self.run_until_complete(asyncio.sleep(seconds))
        self.settle()

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end of ``work``, however long that takes."""
        return self.run_until_complete(work)


@dataclass
class FakeChild:
    """A process of the fake system; ``end`` once it has ended and is not reaped."""

    pid: int
    group: int
    leader: bool
    name: str = ""
    alarm: int = -1
    end: ExitInfo | None = None
    signals: list[int] = field(default_factory=list)


class FakeSystem(System):
    """Processes that exist only on paper. A signal to a pid that is not there fails the test."""

    def __init__(self, loop: FakeClockLoop) -> None:
        super().__init__()
        self.loop = loop
        self.children: dict[int, FakeChild] = {}  # type: ignore[assignment]
        self.names: dict[int, str] = {}
        """The last word of the command of each leader that ever was."""
        self.next_pid = 100
        self.spawn_errors: list[int] = []
        self.with_pidfds = True
        self.stubborn = False
        """SIGTERM does nothing."""
        self.watched: list[int] = []

    def monotonic(self) -> float:
        return self.loop.time()

    def wall_clock(self) -> float:
        return 1.7e9 + self.loop.time()

    def spawn(
        self,
        path: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        descriptors: tuple[int, int, int],
        **_: object,
    ) -> int:
        if self.spawn_errors:
            code = self.spawn_errors.pop()
            raise OSError(code, os.strerror(code), path)
        child = self.fork(leader=True)
        child.name = self.names[child.pid] = argv[-1]
        return child.pid

    def fork(self, *, leader: bool, group: int = 0) -> FakeChild:
        """A new process."""
        self.next_pid += 1
        child = FakeChild(self.next_pid, group or self.next_pid, leader)
        self.children[child.pid] = child
        return child

    def living(self) -> list[FakeChild]:
        """Processes that have not ended."""
        return [child for child in self.children.values() if child.end is None]

    def end(self, pid: int, code: int | None, number: int | None = None) -> None:
        """Let a process end."""
        child = self.children[pid]
        assert child.end is None
        child.end = ExitInfo(pid, code, number)
        if child.alarm >= 0:
            os.close(child.alarm)
            child.alarm = -1
        if not child.leader:
            del self.children[pid]

    def open_pidfd(self, pid: int) -> int | None:
        if pid not in self.children:
            raise ProcessLookupError(errno.ESRCH, "no such process")
        child = self.children[pid]
        if not self.with_pidfds or child.alarm >= 0:
            return None
        read_end, child.alarm = os.pipe()
        if child.end is not None:
            os.close(child.alarm)
            child.alarm = -1
        return read_end

    def peek_exit(self, pid: int) -> ExitInfo | None:
        if pid not in self.children:
            raise ChildProcessError
        return self.children[pid].end

    def reap(self, pid: int) -> None:
        child = self.children.pop(pid)
        assert child.end is not None, "reaped alive"

    def process_table(self) -> list[ProcessEntry]:
        return [
            ProcessEntry(child.pid, os.getpid(), child.group, child.end is not None)
            for child in self.children.values()
        ]

    def kill(self, pid: int, signum: int) -> None:
        assert pid in self.children, f"signal {signum} to {pid}, which is not ours any more"
        self._deliver(self.children[pid], signum)

    def kill_group(self, group: int, signum: int) -> None:
        members = [child for child in self.children.values() if child.group == group]
        assert members, f"signal {signum} to group {group}, which is not ours any more"
        for child in members:
            self._deliver(child, signum)

    def _deliver(self, child: FakeChild, signum: int) -> None:
        child.signals.append(signum)
        if child.end is None and (
            signum == signal.SIGKILL or (signum == signal.SIGTERM and not self.stubborn)
        ):
            self.end(child.pid, None, signum)


class FakeStream:
    """An output stream that takes everything at once, or refuses to open."""

    logfile = ""

    def __init__(self, system: FakeSystem) -> None:
        self._system = system

    def open(self, done: Callable[[SpawnError | None], None]) -> None:
        self._system.loop.call_soon(done, None)

    def attach(self, fd: int, pid: int) -> None:
        os.close(fd)

    def drain(self, done: Callable[[], None], *, limit: float) -> None:
        self._system.loop.call_soon(done)

    def reconfigure(self, settings: object) -> None: ...

    def retire(self) -> None: ...


async def _nothing_to_reopen() -> list[str]:
    return []


def supervise(
    loop: FakeClockLoop, system: FakeSystem, definitions: Sequence[ProcessDefinition], **settings: Any
) -> Supervisor:
    """A supervisor of ``definitions`` on a fake system; nothing is started yet."""
    events = EventBus(system.wall_clock)
    reaper = Reaper(system, loop)
    host = Host(
        system=system,
        loop=loop,
        reaper=reaper,
        group_scans=GroupScans(system, loop),
        events=events,
        environment={"PATH": "/bin"},
        on_change=lambda _: None,
        open_stream=lambda definition, which: FakeStream(system),  # type: ignore[arg-type,return-value]
        reopen_logs=_nothing_to_reopen,
    )
    groups: dict[str, list[ProcessDefinition]] = {}
    for definition in definitions:
        groups.setdefault(definition.group, []).append(definition)
    config = Config(
        path="/none",
        supervisor=SupervisorSettings(**settings),
        groups={name: GroupDefinition(name, 999, tuple(groups[name])) for name in sorted(groups)},
    )
    supervisor = Supervisor(config, host, lambda: config)
    for group in config.groups.values():
        supervisor._roster.add(group)
    return supervisor
