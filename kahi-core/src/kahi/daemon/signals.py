"""Signals of the daemon: the ones it acts on, and all others, which must never hurt."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from typing import Final

from kahi.system import System

USED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2)
"""Signals that the daemon acts on."""

IGNORED: Final = (
    # A handler would be entered again and again for a real fault, which ends us also when ignored.
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    # With a handler, a write to the terminal from the background would be tried for ever.
    signal.SIGTTIN,
    signal.SIGTTOU,
)
"""Signals that the kernel has to ignore for us."""

LEFT_ALONE: Final = (
    signal.SIGKILL,
    signal.SIGSTOP,
    # Their defaults do no harm: nothing, and going on.
    signal.SIGCHLD,
    signal.SIGCONT,
    # Python ignores it already and gives children its default.
    signal.SIGPIPE,
)
"""Signals that keep their disposition."""


def shield_from_signals(system: System) -> list[int]:
    """Make every signal harmless, without children noticing.

    A signal that is caught goes back to its default at exec; one that is ignored would be ignored
    by every child as well, so nearly all are given a handler that does nothing. What the parent of
    the daemon blocked or ignored (nohup, a shell's background job) is undone for the same reason.

    Returns:
        A list to which those that the daemon acts on are added from now on, until somebody handles
        them.
    """
    early: list[int] = []
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if number in USED:
            signal.signal(number, lambda number, _frame: early.append(number))
        elif number not in LEFT_ALONE:
            signal.signal(number, _nothing)
    for number in (signal.SIGCHLD, signal.SIGCONT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    system.ignore_signals(IGNORED)
    return early


def handle_signals(
    loop: asyncio.AbstractEventLoop, actions: Mapping[int, Callable[[], object]], early: list[int]
) -> None:
    """Have the actions called on the event loop, in the order in which the signals came.

    Args:
        early: what `shield_from_signals` has noted; acted on first.
    """
    for number, action in actions.items():
        loop.add_signal_handler(number, action)
    for number in early:
        actions[number]()


def shut_out_signals() -> None:
    """Have no signal change how this process ends: the loop and Python undo their handlers before it does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _nothing(_number: int, _frame: object) -> None:
    """What an unused signal does."""
