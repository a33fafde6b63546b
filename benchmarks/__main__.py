"""``python -m benchmarks``: measure every row of the table, or some; ``scale``: how costs grow."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, report, scale
from benchmarks.campaign import run
from benchmarks.measures import MEASURES
from benchmarks.subjects import SUBJECTS, Kahi
from benchmarks.workshop import workshop

QUICK = 3
"""How many of the supervisors, the first ones, a quick run measures unless it is told which."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for; the table goes to standard output."""
    asked = _arguments(arguments)
    if asked.list:
        for measure in MEASURES:
            print(f"{measure.name}\n    {measure.description}\n")
        return
    subjects = [subject for subject in SUBJECTS if subject.name in asked.subjects]
    absent = {subject.name: reason for subject in subjects if (reason := subject.missing())}
    subjects = [subject for subject in subjects if subject.name not in absent]
    measures = [measure for measure in MEASURES if measure.name in asked.measures]
    about: dict[str, Any] = {
        **machine.description(),
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": asked.quick,
        "load_before": os.getloadavg()[0],
    }
    if asked.scale:
        with workshop(quick=asked.quick) as place:
            grown = scale.sweep(Kahi(), place)
        text = scale.markdown(grown)
        print(text, end="")
        if asked.output:
            write(asked.output, "scale", text, {"about": about, "costs": scale.document(grown)})
        return
    begun = time.monotonic()
    with workshop(quick=asked.quick) as place:
        outcome = run(measures, subjects, place)
    about |= {"seconds": time.monotonic() - begun, "load_after": os.getloadavg()[0]}
    outcome.notes += [f"{name}: {reason}" for name, reason in absent.items()]
    versions = {subject.name: subject.version() for subject in subjects}
    text = report.markdown(outcome, versions, about)
    print(text, end="")
    if asked.output:
        write(asked.output, "table", text, report.document(outcome, versions, about))


def write(directory: Path, name: str, text: str, document: dict[str, Any]) -> None:
    """Both forms of a table, into a directory that is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.md").write_text(text)
    (directory / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [measure.name for measure in MEASURES]
    parser.add_argument(
        "measures", nargs="*", metavar="MEASURE", help=f"only these of {', '.join(names)}; or scale"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, no crowds of 1,000, three supervisors"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="write table.md and table.json there")
    parser.add_argument("--list", action="store_true", help="say what is measured and how")
    parser.add_argument(
        "--subjects",
        type=lambda text: text.split(","),
        default=None,
        metavar="NAMES",
        help="only these supervisors, with commas between them",
    )
    found = parser.parse_args(arguments)
    if found.subjects is None:
        found.subjects = [subject.name for subject in SUBJECTS[: QUICK if found.quick else None]]
    found.scale = found.measures == ["scale"]
    found.measures = names if found.scale else found.measures or names
    if unknown := [name for name in found.measures if name not in names]:
        parser.error(f"no such measure: {', '.join(unknown)} (there are: {', '.join(names)})")
    if unknown := [name for name in found.subjects if name not in [each.name for each in SUBJECTS]]:
        parser.error(f"no such supervisor: {', '.join(unknown)}")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
