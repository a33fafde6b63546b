"""What all subjects are given to supervise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """One program.

    Args:
        command: words without blanks, separated by one blank each.
        logfile: where its output goes, rotated as by default; "" stands for /dev/null.
    """

    name: str
    command: str
    logfile: str = ""
