"""Where the table of a program stands."""

from __future__ import annotations

from dataclasses import dataclass

from kahi.config.files import Source
from kahi.config.models import ProgramModel
from kahi.config.positions import Path
from kahi.config.report import Report


@dataclass(frozen=True, slots=True)
class Place:
    """Where the table of a program stands, and what it may hold."""

    source: Source
    path: Path
    model: type[ProgramModel] = ProgramModel

    def error(self, report: Report, key: str, message: str) -> None:
        """Report what is wrong with one of its keys, "" for the table; dots lead into inner tables."""
        report.error(self.source, (*self.path, *filter(None, key.split("."))), message)
