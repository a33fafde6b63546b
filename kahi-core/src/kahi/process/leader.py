"""The child that a process runs now: the leader of a session and of a process group of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from kahi.child import Pipes
from kahi.errors import NoInput, StdinFull
from kahi.leftovers import Leftovers
from kahi.lifecycle import Exit
from kahi.output import OutputStream
from kahi.process.host import Host
from kahi.stdin import StdinClosed, StdinPipe, StdinQueueFull

log = logging.getLogger(__name__)

DRAIN_LIMIT: Final = 1.0
"""Seconds an exit waits for what the child printed to be delivered (a log disk may hang)."""


class Leader:
    """A child from its exec until it is reaped. Belongs to the event-loop thread.

    Its end is noticed, what it printed is delivered, what is left of its group is ended if that is
    wanted, and only then it is reaped and ``gone`` called: until then its pid is nobody else's.

    Args:
        name: of the process, for log lines and errors.
        streams: stdout and stderr, or the one for both.
        end_leftovers_by: asked once it has ended: until when (monotonic) the rest of its group may
            end by itself before SIGKILL, or None to leave it alone.
        gone: gets how it ended, and when that was noticed (monotonic).
    """

    __slots__ = (
        "_draining",
        "_end_leftovers_by",
        "_ended_at",
        "_gone",
        "_host",
        "_name",
        "_stdin",
        "_streams",
        "exit",
        "pid",
    )

    def __init__(
        self,
        name: str,
        pid: int,
        pipes: Pipes,
        streams: Sequence[OutputStream],
        host: Host,
        *,
        end_leftovers_by: Callable[[], float | None],
        gone: Callable[[Exit, float], None],
    ) -> None:
        self.pid = pid
        self.exit: Exit | None = None
        """How it ended, from the moment on at which that was noticed."""
        self._name = name
        self._host = host
        self._streams = streams
        self._end_leftovers_by = end_leftovers_by
        self._gone = gone
        self._draining = 0
        self._ended_at = 0.0
        self._stdin = StdinPipe(pipes.stdin, host.system, host.loop) if pipes.stdin >= 0 else None
        for stream, fd in zip(streams, (pipes.stdout, pipes.stderr), strict=False):
            stream.attach(fd, pid)
        if host.ledger is not None:
            host.ledger.note(pid, name)
        host.reaper.watch(pid, self.notice_exit)

    def send(self, signum: int, *, whole_group: bool) -> None:
        """Send a signal to it or to its group; that it is gone is no error."""
        system = self._host.system
        try:
            if whole_group:
                system.kill_group(self.pid, signum)
            else:
                system.kill(self.pid, signum)
        except ProcessLookupError:
            pass
        except PermissionError:
            log.error("%s: not permitted to send signal %d to pid %d", self._name, signum, self.pid)

    def write_stdin(self, data: bytes) -> None:
        """Pass ``data`` to its standard input without waiting.

        Raises:
            NoInput: it has none, or does not read it any more.
            StdinFull: the pipe and the queue behind it have no room.
        """
        if self._stdin is None:
            raise NoInput(self._name, "takes no input")
        try:
            self._stdin.write(data)
        except StdinClosed:
            raise NoInput(self._name, "does not read its input any more") from None
        except StdinQueueFull:
            raise StdinFull(self._name) from None

    def end_stdin(self) -> None:
        """Let it read the end of its input, behind what was written. Ending twice is fine."""
        if self._stdin is None:
            raise NoInput(self._name, "takes no input")
        self._stdin.end()

    def notice_exit(self) -> bool:
        """Whether it has ended; the first time, everything that follows from it is set going."""
        if self.exit is not None:
            return True
        try:
            info = self._host.system.peek_exit(self.pid)
        except ChildProcessError:
            # Somebody else in this process reaped it: the status is lost, the fact is not.
            self.exit = Exit()
        else:
            if info is None:
                return False
            self.exit = Exit(info.code, info.signal)
        self._ended_at = self._host.system.monotonic()
        self._host.reaper.noticed(self.pid)
        if self._stdin is not None:
            self._stdin.close()
            self._stdin = None
        self._draining = len(self._streams)
        for stream in self._streams:
            stream.drain(self._delivered, limit=DRAIN_LIMIT)
        return True

    def _delivered(self) -> None:
        self._draining -= 1
        if self._draining:
            return
        deadline = self._end_leftovers_by()
        if deadline is None:
            self._finish()
            return
        host = self._host
        rest = Leftovers(self._name, self.pid, host.system, host.loop, host.group_scans)
        rest.end(deadline, self._finish)

    def _finish(self) -> None:
        assert self.exit is not None
        if self._host.ledger is not None:
            self._host.ledger.forget(self.pid)
        self._host.reaper.reap(self.pid)
        self._gone(self.exit, self._ended_at)
