"""A process beside the daemon that ends its children when it dies (``on_daemon_death = "kill"``).

The kernel could kill children when their parent dies, but only if each is asked between fork and
exec, which would cost every one of them a real fork in place of vfork. The guardian costs one fork
at the start, sleeps in a read that ends with the daemon, and finds the children in the ledger.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Generator
from typing import Final

from kahi.daemon.survivors import end_survivors
from kahi.ledger import Ledger, open_ledger
from kahi.system import System

log = logging.getLogger(__name__)

_GOODBYE: Final = b"\0"


class Guardian:
    """The daemon's end of it.

    Args:
        pipe: the write end that only the daemon holds.
        helper: a child that has forked the guardian and ended, -1 when there is none.
    """

    def __init__(self, pipe: int = -1, helper: int = -1) -> None:
        self._pipe = pipe
        self._helper = helper

    def settle(self) -> None:
        """Collect what the start of the guardian has left."""
        if self._helper > 0:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._helper, 0)
            self._helper = -1

    def dismiss(self) -> None:
        """Nobody is left to be ended."""
        self.settle()
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.write(self._pipe, _GOODBYE)
            os.close(self._pipe)
            self._pipe = -1


@contextlib.contextmanager
def children_on_record(config: str, system: System, *, kill: bool) -> Generator[tuple[Ledger, Guardian]]:
    """The ledger of a daemon, and a guardian that reads it when the daemon dies.

    What is left of an earlier daemon with the same configuration is ended before, which may take
    seconds: nothing ever runs twice.

    Args:
        config: the path of the configuration.
        kill: whether children are to end with the daemon.
    """
    ledger, noted = open_ledger(config, system)
    end_survivors(system, noted)
    guardian = post_guardian(ledger, system) if kill else Guardian()
    try:
        yield ledger, guardian
    finally:
        guardian.dismiss()
        ledger.close()


def post_guardian(ledger: Ledger, system: System) -> Guardian:
    """Start a guardian that is nobody's child; to be called before there are threads.

    PID 1 needs none: the kernel ends everybody with it. Where there is no room for one, that is told: the
    next daemon ends what this one leaves.
    """
    if os.getpid() == 1:
        return Guardian()
    read_end, write_end = os.pipe()
    try:
        helper = os.fork()
    except OSError as error:
        os.close(read_end)
        os.close(write_end)
        reason = os.strerror(error.errno or 0)
        log.error("there is no guardian: %s; should this daemon die, its programs go on", reason)
        return Guardian()
    if helper:
        os.close(read_end)
        return Guardian(write_end, helper)
    try:
        os.setsid()
        if os.fork() == 0:
            _guard(read_end, ledger, system)
    finally:
        os._exit(0)


def _guard(read_end: int, ledger: Ledger, system: System) -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    system.close_all_but(read_end)
    system.set_name("kahi-guardian")
    if os.read(read_end, 1) == b"":
        sys.setswitchinterval(1)
        end_survivors(system, ledger.entries())
