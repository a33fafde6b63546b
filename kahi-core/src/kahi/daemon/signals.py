"""Signals of the daemon: the ones it acts on, and all others, which must never hurt."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from typing import Final

LEFT_ALONE: Final = frozenset(
    {
        signal.SIGKILL,
        signal.SIGSTOP,
        # A handler for these would only be entered again and again.
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGABRT,
        signal.SIGTRAP,
        # Their defaults do no harm: nothing, and going on.
        signal.SIGCHLD,
        signal.SIGCONT,
        # With a handler, a write to the terminal from the background would be tried for ever.
        signal.SIGTTIN,
        signal.SIGTTOU,
        # Python ignores it already and gives children its default.
        signal.SIGPIPE,
    }
)
"""Signals that keep their default disposition."""


def shield_from_signals() -> None:
    """Make every signal harmless, without children noticing.

    A signal that is caught goes back to its default at exec; one that is ignored would be ignored
    by every child as well, so all are given a handler that does nothing. What the parent of the
    daemon blocked or ignored (nohup, a shell's background job) is undone for the same reason.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if number in (signal.SIGPIPE, signal.SIGKILL, signal.SIGSTOP):
            continue
        if number not in LEFT_ALONE:
            signal.signal(number, _nothing)
        elif signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def handle_signals(loop: asyncio.AbstractEventLoop, actions: Mapping[int, Callable[[], object]]) -> None:
    """Have the actions called on the event loop, in the order in which the signals came."""
    for number, action in actions.items():
        loop.add_signal_handler(number, action)


def _nothing(_number: int, _frame: object) -> None:
    """What an unused signal does."""
