"""Supervisors that have a directory for each program, and a process of their own for it: runit and s6."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

from benchmarks.subjects.program import Program
from benchmarks.subjects.subject import Subject


class Runit(Subject):
    """runsvdir with a runsv for each program."""

    name = "runit"
    end_signal = signal.SIGHUP
    is_gone_last = False
    takes_logs = False

    def missing(self) -> str:
        """Debian has it."""
        return "" if shutil.which("runsvdir") and shutil.which("sv") else "runsvdir is not installed"

    def version(self) -> str:
        """As its package says: the program has no option for it."""
        return _package("runit")

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """A directory with the script `run` for each program."""
        return ["runsvdir", str(_services(directory, programs))]

    def status_command(self, directory: Path) -> list[str]:
        """`sv status` of every directory."""
        return ["sv", "status", *sorted(map(str, (directory / "services").iterdir()))]


class S6(Subject):
    """s6-svscan with an s6-supervise for each program."""

    name = "s6"
    takes_logs = False

    def missing(self) -> str:
        """Debian has it."""
        return "" if shutil.which("s6-svscan") else "s6-svscan is not installed"

    def version(self) -> str:
        """As its package says: the program has no option for it."""
        return _package("s6")

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """A directory with the script `run` for each program."""
        return ["s6-svscan", "-c", str(2 * len(programs) + 2), str(_services(directory, programs))]


def _services(directory: Path, programs: list[Program]) -> Path:
    services = directory / "services"
    for program in programs:
        (services / program.name).mkdir(parents=True)
        run = services / program.name / "run"
        run.write_text(f"#!/bin/sh\nexec {program.command}\n")
        run.chmod(0o755)
    return services


def _package(name: str) -> str:
    try:
        found = subprocess.run(["dpkg", "-s", name], capture_output=True, text=True, check=False).stdout
    except OSError:
        found = ""
    version = re.search(r"^Version: (.+)$", found, re.MULTILINE)
    return version[1] if version else "?"
