"""The operating system for a daemon that does not run in the main thread."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Any, Final

from kahi.system import ExitInfo, System

PAUSE: Final = 0.01
"""Seconds between looks at a child where no pidfd tells of its end."""


class ThreadSystem(System):
    """A system that needs no SIGCHLD, which only the main thread can have, and knows its children."""

    def __init__(self) -> None:
        super().__init__()
        self._children: set[int] = set()
        self._exits: dict[int, ExitInfo] = {}
        self._peeking = threading.Lock()

    def spawn(self, *arguments: Any, **options: Any) -> int:
        """Execute a program, and remember it until it is reaped."""
        pid = super().spawn(*arguments, **options)
        self._children.add(pid)
        return pid

    def reap(self, pid: int) -> None:
        """Remove the ended child from the process table."""
        with self._peeking:
            self._children.discard(pid)
            self._exits.pop(pid, None)
            super().reap(pid)

    def open_pidfd(self, pid: int) -> int | None:
        """A descriptor that becomes readable when ``pid`` ends, whatever the kernel has."""
        found = super().open_pidfd(pid)
        if found is not None:
            return found
        read_end, write_end = os.pipe()
        threading.Thread(target=self._await_end, args=(pid, write_end), daemon=True).start()
        return read_end

    def peek_exit(self, pid: int) -> ExitInfo | None:
        """How a child ended; the same answer for all who ask, also where looking reaps it."""
        with self._peeking:
            found = self._exits.get(pid) or super().peek_exit(pid)
            if found is not None:
                self._exits[pid] = found
            return found

    def kill_children(self) -> None:
        """Kill what was spawned and not reaped, with its process group."""
        for pid in tuple(self._children):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _await_end(self, pid: int, write_end: int) -> None:
        with contextlib.suppress(ChildProcessError):
            while pid in self._children and self.peek_exit(pid) is None:
                time.sleep(PAUSE)
        os.close(write_end)
