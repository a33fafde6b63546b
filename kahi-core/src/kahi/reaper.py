"""Noticing that children end, and removing them from the process table.

Exits are told by the kernel: through a pidfd for each child, or SIGCHLD where there are none.
Nothing polls. A child is only looked at here ([peek][kahi.system.System.peek_exit]); its owner
reaps it when the rest of its process group has been dealt with, because until then its pid can not
be given to anybody else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Final

from kahi.system import System

log = logging.getLogger(__name__)

ORPHAN_GRACE: Final = 1.0
"""Seconds an unknown ended child is left to whoever in this process may be waiting for it."""

ExitCallback = Callable[[], object]


class Reaper:
    """Calls back when a child ends. Belongs to the event-loop thread.

    Args:
        adopts_orphans: whether this process is PID 1 or a subreaper, and so has to collect
            children that it never started.
    """

    def __init__(
        self, system: System, loop: asyncio.AbstractEventLoop, *, adopts_orphans: bool = False
    ) -> None:
        self._system = system
        self._loop = loop
        self._adopts_orphans = adopts_orphans
        self._pidfds: dict[int, int] = {}
        self._by_signal: dict[int, ExitCallback] = {}
        self._ended: set[int] = set()
        self._listening = False
        self._look: asyncio.Handle | None = None
        self._orphans: asyncio.TimerHandle | None = None
        self._seen: frozenset[int] = frozenset()
        """Ended children of nobody, as the last look found them."""
        if adopts_orphans:
            self._listen_to_sigchld()

    def watch(self, pid: int, on_exit: ExitCallback) -> None:
        """Have ``on_exit`` called when child ``pid`` has ended, until it is ``noticed``.

        Where there is no pidfd it is called whenever any child has: it has to look for itself.
        """
        try:
            pidfd = self._system.open_pidfd(pid)
        except ProcessLookupError:
            # Somebody else in this process has reaped it; whoever looks for it finds that out.
            pidfd = None
        if pidfd is None:
            self._await_signal(pid, on_exit)
        else:
            try:
                self._loop.add_reader(pidfd, on_exit)
            except OSError:
                # No room in the poller either.
                self._system.close(pidfd)
                self._await_signal(pid, on_exit)
            else:
                self._pidfds[pid] = pidfd

    def _await_signal(self, pid: int, on_exit: ExitCallback) -> None:
        self._listen_to_sigchld()
        self._by_signal[pid] = on_exit
        # It may have ended before anybody listened.
        self._loop.call_soon(on_exit)

    def noticed(self, pid: int) -> None:
        """Stop calling back for ``pid``; it stays in the process table until it is reaped."""
        self._ended.add(pid)
        self._unwatch(pid)

    def reap(self, pid: int) -> None:
        """Remove the ended child from the process table; its pid may be reused from now on."""
        self._unwatch(pid)
        self._ended.discard(pid)
        self._system.reap(pid)
        self._look_soon()

    def _unwatch(self, pid: int) -> None:
        self._by_signal.pop(pid, None)
        pidfd = self._pidfds.pop(pid, None)
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            self._system.close(pidfd)

    def close(self) -> None:
        """Forget all children and stop listening."""
        for pid in tuple(self._pidfds):
            self._unwatch(pid)
        self._by_signal.clear()
        for handle in (self._look, self._orphans):
            if handle is not None:
                handle.cancel()
        if self._listening:
            self._loop.remove_signal_handler(signal.SIGCHLD)
            self._listening = False

    def _listen_to_sigchld(self) -> None:
        if not self._listening:
            self._listening = True
            self._loop.add_signal_handler(signal.SIGCHLD, self._on_sigchld)

    def _on_sigchld(self) -> None:
        self._tell_ended()
        self._look_soon()

    def _tell_ended(self) -> None:
        for on_exit in tuple(self._by_signal.values()):
            on_exit()

    def _look_soon(self) -> None:
        """Look for orphans once, however many ends bring that about in this turn of the loop."""
        if self._adopts_orphans and self._look is None and self._orphans is None:
            self._look = self._loop.call_soon(self._look_for_orphans)

    def _look_for_orphans(self) -> None:
        self._look = None
        if self._orphans is None:
            self._seen = frozenset(self._ended_strangers())
            if self._seen:
                self._orphans = self._loop.call_later(ORPHAN_GRACE, self._reap_orphans)

    def _reap_orphans(self) -> None:
        """Reap those that have been there for the whole grace, and give the others theirs."""
        self._orphans = None
        strangers = self._ended_strangers()
        orphans = self._seen.intersection(strangers)
        for pid in orphans:
            self._system.reap(pid)
        if orphans:
            log.debug("reaped %d orphans", len(orphans))
        if len(orphans) < len(strangers):
            self._look_for_orphans()

    def _ended_strangers(self) -> list[int]:
        """Ended children that nobody watches: orphans, or sub-processes that plugins wait for.

        The grace tells them apart: asyncio and anyio collect theirs as soon as they end, and so
        get their true exit status; what is still there a second later belongs to nobody.
        """
        children = self._system.children()
        if children is None:
            me = os.getpid()
            children = [entry.pid for entry in self._system.process_table() if entry.parent == me]
        known = self._ended | self._pidfds.keys() | self._by_signal.keys()
        return [pid for pid in children if pid not in known and self._has_ended(pid)]

    def _has_ended(self, pid: int) -> bool:
        try:
            return self._system.peek_exit(pid) is not None
        except ChildProcessError:
            return False
