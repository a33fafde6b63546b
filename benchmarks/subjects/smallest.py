"""The floor: benchmarks/floor.py."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from benchmarks.subjects import exchange
from benchmarks.subjects.program import Program
from benchmarks.subjects.subject import Subject

FLOOR = Path(__file__).parent.parent / "floor.py"


class Smallest(Subject):
    """The smallest supervisor one can write in Python."""

    name = "the floor"

    def version(self) -> str:
        """Of Python."""
        return f"Python {platform.python_version()}"

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """A line for each program."""
        lines = [f"{each.name}\t{each.logfile or '/dev/null'}\t{each.command}\n" for each in programs]
        (directory / "programs").write_text("".join(lines))
        return [sys.executable, "-S", "-E", str(FLOOR), f"{directory}/programs", f"{directory}/f.sock"]

    def answers(self, directory: Path) -> bool:
        """Its status, the only answer that it has."""
        return exchange.is_well(directory / "f.sock", exchange.get("/"))

    def status(self, directory: Path) -> int:
        """The same."""
        return len(exchange.ask(directory / "f.sock", exchange.get("/")))
