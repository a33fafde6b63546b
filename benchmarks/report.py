"""The outcome of a run as a table to read and as data to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.campaign import Outcome
from benchmarks.figures import Spread
from benchmarks.rows import ROWS, Row

OURS = "kahi"
NOTHING = "–"
EXPLANATION = (
    "Medians (and quartiles, or extremes of fewer than four values). *others*: processors that others kept"
    " busy meanwhile + those that the host took away."
)


def document(
    outcome: Outcome, versions: Mapping[str, str], about: Mapping[str, Any], rows: Sequence[Row] = ROWS
) -> dict[str, Any]:
    """Everything, for JSON.

    Args:
        versions: of the subjects, in the order of the columns.
        about: the run: when, where, how.
    """
    return {
        "about": dict(about),
        "subjects": dict(versions),
        "rows": [_row(row, outcome, versions) for row in rows if row.key in outcome.values],
        "loads": {name: asdict(load) for name, load in outcome.loads.items()},
        "notes": list(outcome.notes),
    }


def _row(row: Row, outcome: Outcome, versions: Mapping[str, str]) -> dict[str, Any]:
    found = outcome.values[row.key]
    return {
        "key": row.key,
        "title": row.title,
        "unit": row.unit.name,
        "scale": row.unit.scale,
        "measure": outcome.measure_of[row.key],
        "goal": " and ".join(limit.text(row.unit) for limit in row.limits),
        "met": met(row, found),
        "figures": {name: _figures(found[name]) if name in found else None for name in versions},
    }


def _figures(spread: Spread) -> dict[str, Any]:
    low, high = spread.quartiles
    return {"median": spread.median, "low": low, "high": high, "values": list(spread.values)}


def met(row: Row, found: Mapping[str, Spread]) -> bool | None:
    """Whether Kahi meets the goal of a row; None when there is none, or nothing to tell it by."""
    if not row.limits or OURS not in found:
        return None
    medians = {name: spread.median for name, spread in found.items()}
    answers = [limit.met(medians[OURS], medians) for limit in row.limits]
    return None if None in answers else all(answers)


def markdown(
    outcome: Outcome, versions: Mapping[str, str], about: Mapping[str, Any], rows: Sequence[Row] = ROWS
) -> str:
    """The table, with what it rests on above and what is missing below."""
    lines = [_circumstances(about), "", EXPLANATION, ""]
    head = ["measure", *(f"{name} {version}" for name, version in versions.items()), "goal", "met", "others"]
    lines += [_line(head), _line(["---"] * len(head))]
    for row in rows:
        found = outcome.values.get(row.key)
        if not found:
            continue
        load = outcome.loads.get(outcome.measure_of[row.key])
        lines.append(
            _line(
                [
                    f"{row.title} ({row.unit.name})" if row.unit.name else row.title,
                    *(_cell(row, found.get(name)) for name in versions),
                    " and ".join(limit.text(row.unit) for limit in row.limits) or NOTHING,
                    {True: "yes", False: "**no**", None: NOTHING}[met(row, found)],
                    f"{load.foreign:.2f} + {load.steal:.2f}" if load else NOTHING,
                ]
            )
        )
    lines += ["", *(f"- {note}" for note in outcome.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _circumstances(about: Mapping[str, Any]) -> str:
    return (
        f"{about['begun']}, {about['seconds']:.0f} s{', a quick run' if about['quick'] else ''};"
        f" {about['processors']} × {about['processor']}, {about['memory'] / 1024**3:.0f} GiB,"
        f" {about['kernel']}; load average {about['load_before']:.1f} before,"
        f" {about['load_after']:.1f} after."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: Row, spread: Spread | None) -> str:
    if spread is None:
        return NOTHING
    low, high = spread.quartiles
    text = row.unit.number(spread.median)
    return text if len(spread.values) == 1 else f"{text} ({row.unit.number(low)}–{row.unit.number(high)})"
