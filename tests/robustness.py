"""Which fault a test proves, and the page that tells of it: a plugin of pytest.

``@pytest.mark.fault("P9")`` names rows of faults.toml. ``pytest -m fault --write-robustness`` runs the tests of all
rows and writes docs/reference/robustness.md from their results; with ``--collect-only`` it only lists them.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE.parent / "docs" / "reference" / "robustness.md"
OPTION: Final = "--write-robustness"
PROPERTY: Final = "faults"
FAILED: Final = "**failed**"
PARTS: Final = {
    "P": "Processes",
    "E": "Executing",
    "L": "Logs",
    "R": "Resources and time",
    "S": "The supervisor itself",
    "A": "The API",
    "C": "Configuration",
    "W": "Webhooks, listeners, plugins",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table: what goes wrong, what happens then, and why nothing proves it."""

    fault: str
    outcome: str
    provoked: str
    untested: str = ""


FAULTS: Final = {
    row: Fault(**entry) for row, entry in tomllib.loads((HERE / "faults.toml").read_text("utf-8")).items()
}


@dataclass(slots=True)
class Result:
    """What became of a test, with all its parameters."""

    passed: int = 0
    failed: int = 0
    skipped: set[str] = field(default_factory=set)
    """Reasons."""

    def __str__(self) -> str:
        if self.failed:
            return FAILED
        reasons = f"skipped: {'; '.join(sorted(self.skipped))}" if self.skipped else ""
        if not self.passed:
            return reasons
        return f"passed; in part {reasons}" if reasons else "passed"


Proofs = Mapping[str, Mapping[str, str]]
"""Results by row and test."""


def page(proofs: Proofs) -> str:
    """The table of faults, with what the tests of each row have shown."""
    return "\n".join(_lines(proofs)) + "\n"


def told_by(text: str) -> dict[str, dict[str, str]]:
    """The results that a page tells."""
    told: dict[str, dict[str, str]] = {}
    row = ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"### (\w+)", line):
            row = heading[1]
            told[row] = {}
        elif result := re.fullmatch(r"- `(tests/[^`]+)`: (.+)", line):
            told[row][result[1]] = result[2]
    return told


def _lines(proofs: Proofs) -> Iterator[str]:
    yield "# What can go wrong"
    yield ""
    yield "Every fault that we know of has a row, and every row has tests that bring the fault about."
    yield "This page is written by `make robustness` from the results of those tests; the rows are in"
    yield "`tests/faults.toml`, and a test says by `@pytest.mark.fault` which of them it proves."
    yield "Every test of the real program, these and all others, ends with a look at the daemon: no zombie, no"
    yield "descriptor or thread that nothing explains, exactly the wanted instances, no gap in the serials of"
    yield "events; and nothing is left of it once it has ended (`tests/invariants.py`)."
    yield from ("", "| | fault | result |", "|---|---|---|")
    for row, fault in FAULTS.items():
        yield f"| [{row}](#{row.lower()}) | {fault.fault} | {_summary(fault, proofs.get(row, {}))} |"
    part = ""
    for row, fault in FAULTS.items():
        if row[0] != part:
            part = row[0]
            yield from ("", f"## {PARTS[part]}")
        yield from ("", f"### {row}", "", f"**{fault.fault}.** {fault.outcome}", "")
        if fault.provoked:
            yield from (f"Provoked by {fault.provoked}.", "")
        if fault.untested:
            yield f"No test: {fault.untested}."
        for test, result in sorted(proofs.get(row, {}).items()):
            yield f"- `{test}`: {result}"


def _summary(fault: Fault, results: Mapping[str, str]) -> str:
    if fault.untested:
        return fault.untested
    if FAILED in results.values():
        return FAILED
    shown = sum(1 for result in results.values() if result.startswith("passed"))
    if not shown:
        return "skipped" if results else "no test"
    return "1 test passed" if shown == 1 else f"{shown} tests passed"


class Recorder:
    """Collects the results of a run, wherever its tests ran, and writes the page.

    What was not run keeps the result that the page tells of it, as long as it is there.
    """

    def __init__(self) -> None:
        self._proofs: dict[str, dict[str, Result]] = defaultdict(lambda: defaultdict(Result))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of one part of one test."""
        for name, rows in report.user_properties:
            for row in str(rows).split() if name == PROPERTY else ():
                result = self._proofs[row][function_of(report.nodeid)]
                if report.skipped:
                    result.skipped.add(_reason(report))
                elif report.failed:
                    result.failed += 1
                elif report.when == "call":
                    result.passed += 1

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        if not self._proofs:
            return
        before = told_by(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
        proofs = {
            row: {test: result for test, result in before.get(row, {}).items() if _is_there(test, row)}
            | {test: str(result) for test, result in self._proofs[row].items()}
            for row in FAULTS
        }
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(proofs), encoding="utf-8")


def function_of(nodeid: str) -> str:
    """The test without its parameters."""
    return nodeid.partition("[")[0]


def _is_there(test: str, row: str) -> bool:
    """Whether a file still has a test, and its row."""
    name, _, rest = test.partition("::")
    try:
        text = (HERE.parent / name).read_text(encoding="utf-8")
    except OSError:
        return False
    return f'"{row}"' in text and re.search(rf"\b{rest.partition('::')[0]}\b", text) is not None


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of this plugin."""
    parser.addoption(OPTION, action="store_true", help="write docs/reference/robustness.md from the results")


def pytest_configure(config: pytest.Config) -> None:
    """Record where the results of all workers come together."""
    if config.getoption(OPTION) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse rows that do not exist; results carry the others along."""
    for item in items:
        rows = [str(row) for marker in item.iter_markers("fault") for row in marker.args]
        for row in rows:
            if row not in FAULTS:
                raise pytest.UsageError(f"{item.nodeid}: faults.toml has no row {row!r}")
        if rows:
            item.user_properties.append((PROPERTY, " ".join(rows)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """List rows and tests when nothing but that is asked for."""
    if session.config.option.collectonly and session.config.getoption(OPTION):
        for item in session.items:
            for name, rows in item.user_properties:
                if name == PROPERTY:
                    print(f"{rows}: {function_of(item.nodeid)}")
