"""Going to the background, and telling the shell whether that worked."""

from __future__ import annotations

import os
import sys
from typing import Final

UP: Final = b"\0"
"""What the daemon reports once it is up; anything else is the reason why it is not."""


class Daemonized:
    """The pipe to the process that waits in the shell. In the foreground nobody waits."""

    def __init__(self, report: int = -1) -> None:
        self._report = report

    def tell_up(self) -> None:
        """Let the waiting process return to the shell with success."""
        self._tell(UP)

    def tell_failure(self, reason: str) -> bool:
        """Let it print ``reason`` and fail; False when nobody waits any more."""
        return self._tell(reason.encode("utf-8", "backslashreplace"))

    def _tell(self, message: bytes) -> bool:
        if self._report < 0:
            return False
        report, self._report = self._report, -1
        try:
            os.write(report, message)
        except OSError:
            # Whoever waited was ended meanwhile.
            return False
        finally:
            os.close(report)
        return True


def daemonize() -> Daemonized:
    """Detach from the terminal and the session; returns in the daemon only.

    The process that was called waits until the daemon tells that it is up, and exits.
    """
    read_end, write_end = os.pipe()
    if os.fork() != 0:
        os.close(write_end)
        _wait_and_exit(read_end)
    os.close(read_end)
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    return Daemonized(write_end)


def _wait_and_exit(read_end: int) -> None:
    report = b""
    while chunk := os.read(read_end, 65536):
        report += chunk
    if report == UP:
        os._exit(0)
    reason = report.decode() or "it ended before it was up"
    sys.stderr.write(reason if reason.endswith("\n") else f"{reason}\n")
    sys.stderr.flush()
    os._exit(1)
