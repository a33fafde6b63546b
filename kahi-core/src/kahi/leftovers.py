"""Ending what a process leaves behind in its process group when its leader is gone.

While this works the leader has ended but is not reaped, so its process group id can not be given to
anybody else and no signal can hit a stranger.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Final

from kahi.errors import TRANSIENT_ERRORS
from kahi.system import System

log = logging.getLogger(__name__)

RECHECK: Final = 0.05
"""Seconds between two looks at the group where members can not be watched by a pidfd."""

LAST_WAIT: Final = 5.0
"""Seconds that SIGKILL is given to take effect before the rest is given up on."""


class GroupScans:
    """Looks at the process table once for everybody who asks in the same turn of the loop.

    A thousand leaders that end together cost one scan, and each scan is later than the question,
    so that nobody is missed who was forked just before the leader ended.
    """

    def __init__(self, system: System, loop: asyncio.AbstractEventLoop) -> None:
        self._system = system
        self._loop = loop
        self._asking: list[tuple[int, Callable[[list[int]], None]]] = []

    def ask(self, group: int, answer: Callable[[list[int]], None]) -> None:
        """Have ``answer`` called soon with the pids of the living members of a process group."""
        if not self._asking:
            self._loop.call_soon(self._scan)
        self._asking.append((group, answer))

    def _scan(self) -> None:
        try:
            table = self._system.process_table()
        except OSError as error:
            if error.errno in TRANSIENT_ERRORS:
                # Descriptors have run out, most likely; without an answer nobody goes on.
                self._loop.call_later(RECHECK, self._scan)
                return
            log.error("the process table can not be read: %s", error)
            table = []
        asking, self._asking = self._asking, []
        members: dict[int, list[int]] = {}
        for entry in table:
            if not entry.zombie:
                members.setdefault(entry.group, []).append(entry.pid)
        for group, answer in asking:
            answer(members.get(group, []))


class Leftovers:
    """The members of a process group that outlive their leader. One use, on the loop thread.

    Args:
        name: the process, for log lines.
        group: the process group, which is the pid of the leader.
    """

    __slots__ = (
        "_deadline",
        "_done",
        "_group",
        "_killed",
        "_loop",
        "_name",
        "_pidfds",
        "_scans",
        "_system",
        "_timer",
    )

    def __init__(
        self, name: str, group: int, system: System, loop: asyncio.AbstractEventLoop, scans: GroupScans
    ) -> None:
        self._name = name
        self._group = group
        self._system = system
        self._loop = loop
        self._scans = scans
        self._pidfds: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._killed = False
        self._done: Callable[[], None] | None = None

    def end(self, deadline: float, done: Callable[[], None]) -> None:
        """SIGTERM to all of them, SIGKILL at ``deadline`` (monotonic), ``done()`` once they are gone."""
        self._deadline = deadline
        self._done = done
        self._scans.ask(self._group, self._begin)

    def _begin(self, members: list[int]) -> None:
        if members:
            log.info("%s: ending %d processes left in its process group", self._name, len(members))
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)
        self._proceed(members)

    def _look(self) -> None:
        self._scans.ask(self._group, self._proceed)

    def _proceed(self, members: list[int]) -> None:
        if self._done is None:
            return
        self._forget_timer()
        now = self._system.monotonic()
        if members and now >= self._deadline and not self._killed:
            self._killed = True
            self._deadline = now + LAST_WAIT
            self._signal(signal.SIGKILL)
        elif not members or now >= self._deadline:
            if members:
                log.error("%s: pids %s are still there after SIGKILL", self._name, members)
            self._finish()
            return
        watched = [self._watch(pid) for pid in members]
        wait = max(0.0, self._deadline - now)
        self._timer = self._loop.call_later(wait if all(watched) else min(wait, RECHECK), self._look)

    def _watch(self, pid: int) -> bool:
        """Have the end of a member looked into; False where that needs a timer."""
        if pid in self._pidfds:
            return True
        try:
            pidfd = self._system.open_pidfd(pid)
        except ProcessLookupError:
            return False
        if pidfd is None:
            return False
        try:
            self._loop.add_reader(pidfd, self._gone, pid)
        except OSError:
            self._system.close(pidfd)
            return False
        self._pidfds[pid] = pidfd
        return True

    def _gone(self, pid: int) -> None:
        self._unwatch(pid)
        self._look()

    def _unwatch(self, pid: int) -> None:
        pidfd = self._pidfds.pop(pid)
        self._loop.remove_reader(pidfd)
        self._system.close(pidfd)

    def _signal(self, signum: int) -> None:
        try:
            self._system.kill_group(self._group, signum)
        except (ProcessLookupError, PermissionError) as error:
            log.debug("%s: signal %d to its process group: %s", self._name, signum, error)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self) -> None:
        self._forget_timer()
        for pid in tuple(self._pidfds):
            self._unwatch(pid)
        done, self._done = self._done, None
        if done is not None:
            done()
