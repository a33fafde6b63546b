"""The interface of a supervisor that is measured."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.subjects.program import Program

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Everybody may keep compiled code, as an installed program does."""


class Unable(Exception):
    """This supervisor has nothing of the kind; its cell in the table is a dash."""


class Subject(ABC):
    """A supervisor that can be measured. What it can not do raises `Unable`."""

    name: str
    end_signal = signal.SIGTERM
    """What ends the daemon and everything below it."""
    is_gone_last = True
    """Whether the daemon ends after its programs, so that its end can be compared."""
    takes_logs = True
    """Whether it writes what programs print to files itself."""

    def missing(self) -> str:
        """Why it can not be measured here, "" when it can."""
        return ""

    @abstractmethod
    def version(self) -> str:
        """Which one is measured."""

    @abstractmethod
    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """Write a configuration whose programs are restarted whenever they end; returns the command."""

    def alone(self) -> Subject:
        """The same with nothing but supervision and its API."""
        return self

    def answers(self, directory: Path) -> bool:
        """Whether its API answers the smallest request there is."""
        raise Unable

    def status(self, directory: Path) -> int:
        """Ask for the status of everything over the socket; returns the size of the whole answer."""
        raise Unable

    def status_command(self, directory: Path) -> list[str]:
        """The command that shows the status of all programs."""
        raise Unable

    def reload(self, directory: Path) -> None:
        """Have the configuration read again, and wait until that is done."""
        raise Unable
