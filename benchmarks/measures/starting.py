"""From exec of a daemon to its first child, and to the first answer of its API."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.subjects import Program, Subject, Unable
from benchmarks.workshop import Workshop, now, register


def first_child(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """One program. The child reports itself: from just before the exec of the daemon to its report.

    Then the memory of the supervisor (PSS of all its processes), once its API has answered.
    """
    with (
        register(workshop) as children,
        workshop.running(subject, [Program("one", f"{workshop.child} wait {children.path}")]) as daemon,
    ):
        children.read()
        found = {"first child": now() - daemon.begun}
        try:
            daemon.wait_until_it_answers()
            subject.status(daemon.directory)
        except Unable:
            pass
        time.sleep(1.5)
        found["memory of 1"] = machine.memory(daemon.own())
        return found


def first_answer(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """One program. The API is asked every half millisecond until it gives the smallest answer that it has."""
    return {"first answer": _first_answer(subject, workshop)}


def first_answer_alone(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """The same with nothing but supervision and the API."""
    return {"first answer, alone": _first_answer(subject.alone(), workshop)}


def _first_answer(subject: Subject, workshop: Workshop) -> float:
    with (
        register(workshop) as children,
        workshop.running(subject, [Program("one", f"{workshop.child} wait {children.path}")]) as daemon,
    ):
        found = daemon.wait_until_it_answers()
        children.read()
        return found
