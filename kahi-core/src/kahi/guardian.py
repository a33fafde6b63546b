"""A process beside the daemon that ends its children when it dies (``on_daemon_death = "kill"``).

The kernel could kill children when their parent dies, but only if each is asked between fork and
exec, which would cost every one of them a real fork in place of vfork. The guardian costs one fork,
sleeps in a read that ends with the daemon, and finds the children in the ledger.

It is forked before the daemon imports anything: whatever is in memory by then, the two would have
twice in the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from kahi.ledger import Ledger

MARK_SIZE = 16
"""Bytes of `kahi.ledger.Ledger.mark`."""

_GOODBYE = b"\0"


class Guardian:
    """The daemon's end of it.

    Args:
        channel: the end that only the daemon holds; None when there is no guardian.
        helper: a child that has forked the guardian and ends, -1 when there is none.
        absence: why there is none, "" when there needs to be none.
    """

    def __init__(self, channel: socket.socket | None = None, helper: int = -1, absence: str = "") -> None:
        self._channel = channel
        self._helper = helper
        self.absence = absence

    def guard(self, ledger: Ledger) -> None:
        """Have it end who is in the ledger when this process dies."""
        self._settle()
        if self._channel is None:
            return
        try:
            with ledger.shared() as memory:
                socket.send_fds(self._channel, [ledger.mark], [memory])
        except OSError as error:
            self.dismiss()
            self.absence = os.strerror(error.errno or 0)

    def dismiss(self) -> None:
        """Nobody is to be ended any more, so it may go. Dismissing twice is fine."""
        self._settle()
        self.absence = ""
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.send(_GOODBYE)
            self._channel.close()
            self._channel = None

    def _settle(self) -> None:
        """Collect what its start has left: from then on it is nobody's child."""
        if self._helper > 0:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._helper, 0)
            self._helper = -1


def post_guardian() -> Guardian:
    """Start a guardian that is nobody's child; to be called before there are threads.

    PID 1 needs none: the kernel ends everybody with it. Where there is no room for one, the next daemon
    ends what this one leaves.
    """
    if os.getpid() == 1:
        return Guardian()
    try:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        return Guardian(absence=os.strerror(error.errno or 0))
    try:
        helper = os.fork()
    except OSError as error:
        ours.close()
        its.close()
        return Guardian(absence=os.strerror(error.errno or 0))
    if helper:
        its.close()
        return Guardian(ours, helper)
    try:
        os.setsid()
        if os.fork() == 0:
            _guard(its)
    finally:
        os._exit(0)


def _guard(channel: socket.socket) -> NoReturn:
    """Wait for the end of the daemon. Any signal is ignored but SIGKILL and SIGSTOP."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, channel.fileno())
    os.closerange(channel.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as name:
        name.write("kahi-guardian")
    mark, memories, _, _ = socket.recv_fds(channel, MARK_SIZE, 1)
    if memories and mark != _GOODBYE and channel.recv(1) == b"":
        # Only now, and as long as nothing else happens, it needs room for more than itself.
        from kahi.ledger import entries_of
        from kahi.survivors import end_survivors
        from kahi.system import System

        end_survivors(System(), entries_of(memories[0], mark))
    os._exit(0)
