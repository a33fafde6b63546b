"""The whole terminal, borrowed and given back as it was."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from types import FrameType
from typing import Any, Final, Self

ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""Another screen than the one with the shell's lines, without a cursor."""

LEAVE: Final = "\x1b[?25h\x1b[?1049l"

USUAL: Final = (80, 24)
"""Columns and lines of a terminal."""


class Screen:
    """Shows lines from the top of the terminal down, each time over what was there.

    The terminal is given back however the context is left: by an exception, by SIGTERM or SIGHUP,
    and for as long as Ctrl-Z stops the program. Keys arrive one by one, without echo.

    Args:
        wake: called, in a signal handler, when all must be drawn anew.
    """

    def __init__(self, wake: Any) -> None:
        self._wake = wake
        self._keyboard = sys.stdin.fileno()
        self._mode = termios.tcgetattr(self._keyboard)
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number, handler in (
            (signal.SIGTERM, _end),
            (signal.SIGHUP, _end),
            (signal.SIGTSTP, self._stop),
            (signal.SIGWINCH, self._redraw),
        ):
            self._handlers[number] = signal.signal(number, handler)
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines; of a terminal that was not told how large it is, the usual ones."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return os.terminal_size((columns or USUAL[0], lines or USUAL[1]))

    def draw(self, lines: list[str]) -> None:
        """Show ``lines``, which must fit."""
        text = "".join(f"{line}\x1b[K\r\n" for line in lines[:-1]) + "".join(lines[-1:])
        sys.stdout.write(f"\x1b[H{text}\x1b[K\x1b[J")
        sys.stdout.flush()

    def _enter(self) -> None:
        tty.setcbreak(self._keyboard)
        sys.stdout.write(ENTER)
        sys.stdout.flush()

    def _leave(self) -> None:
        termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._mode)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()
        self._wake()

    def _redraw(self, number: int, frame: FrameType | None) -> None:
        self._wake()


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
