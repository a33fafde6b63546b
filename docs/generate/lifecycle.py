"""What the state machine does, found out by asking it: every state, every event, every circumstance."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from docs.generate.markdown import code, table
from kahi.definition import StartPolicy, StopPolicy
from kahi.lifecycle import (
    TRANSITIONS,
    Circumstances,
    Effect,
    Elapsed,
    Event,
    Exit,
    Exited,
    Hold,
    Record,
    Refused,
    Spawned,
    SpawnFailed,
    Start,
    State,
    Stop,
    step,
)

EVENTS: Final[tuple[Event, ...]] = (
    Start(),
    Stop(),
    Spawned(),
    SpawnFailed("no such file", permanent=True),
    SpawnFailed("too many processes", permanent=False),
    Exited(Exit(code=0)),
    Exited(Exit(code=1)),
    Elapsed(),
    Hold(),
)

STARTS: Final = tuple(
    StartPolicy(startsecs=startsecs, startretries=retries, autorestart=restart, oneshot=oneshot)
    for startsecs, retries, restart, oneshot in itertools.product(
        (0.0, 1.0), (0, 3), ("always", "never"), (False, True)
    )
)
STOPS: Final = (StopPolicy(wait=0.0), StopPolicy(wait=10.0))
MOMENTS: Final = (0.5, 100.0)
"""Soon after a start, and when every deadline has come."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event may lead to in a state: the next state, what is to be done, whether anything changes."""

    state: State
    effects: tuple[Effect, ...] = ()
    changes: bool = False


@functools.cache
def outcomes() -> dict[tuple[State, type[Event]], set[Outcome]]:
    """Everything that can follow, by state and event; an empty set where the event is refused.

    Every record that can be reached from a new one is tried with every event under every policy.
    """
    found: dict[tuple[State, type[Event]], set[Outcome]] = {
        (state, event): set() for state, row in TRANSITIONS.items() for event in row
    }
    refused: set[tuple[State, type[Event]]] = set()
    seen: set[Record] = set()
    waiting = [Record()]
    while waiting:
        record = waiting.pop()
        if record in seen:
            continue
        seen.add(record)
        for event, start, stop, now in itertools.product(EVENTS, STARTS, STOPS, MOMENTS):
            if not _can_happen(event, record, now):
                continue
            try:
                result = step(record, event, Circumstances(now, start, stop))
            except Refused:
                refused.add((record.state, type(event)))
                continue
            changes = result.record != record
            outcome = Outcome(result.record.state, result.effects, changes)
            found[record.state, type(event)].add(outcome)
            waiting.append(_comparable(result.record))
    for (state, event), results in found.items():
        # What can not happen in a state is let pass when it comes late all the same.
        if not results and (state, event) not in refused:
            results.add(Outcome(state))
    return found


def _can_happen(event: Event, record: Record, now: float) -> bool:
    match event:
        case Spawned() | SpawnFailed():
            return record.spawning
        case Exited():
            return record.alive
        case Elapsed():
            return record.deadline is not None and now >= record.deadline
        case _:
            return True


def edges() -> dict[tuple[State, State], list[str]]:
    """The changes of state that are drawn, each with the names of the events that bring it about."""
    drawn: dict[tuple[State, State], list[str]] = {}
    for (state, event), results in outcomes().items():
        for target in sorted({result.state for result in results}):
            if target is not state:
                drawn.setdefault((state, target), []).append(event.__name__)
    return drawn


def transition_table() -> str:
    """Every state with every event: what follows."""
    events = list(_in_order())
    found = outcomes()
    rows = [
        (f"**{state.name}**", *(_cell(state, found[state, event]) for event in events)) for state in State
    ]
    return "\n".join(table(("", *(code(event.__name__) for event in events)), rows))


def event_table() -> str:
    """What the events mean."""
    rows = ((code(event.__name__), _first_line(event)) for event in _in_order())
    return "\n".join(table(("event", ""), rows))


def _in_order() -> Iterator[type[Event]]:
    return iter(dict.fromkeys(type(event) for event in EVENTS))


def _first_line(kind: type[object]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _cell(state: State, results: set[Outcome]) -> str:
    if not results:
        return "refused"
    ordered = sorted(results, key=lambda each: (each.state, [effect.name for effect in each.effects]))
    changes = [each for each in ordered if each.changes]
    return "<br>".join(dict.fromkeys(_outcome(state, each) for each in changes)) or "–"


def _outcome(state: State, result: Outcome) -> str:
    target = "stays" if result.state is state else result.state.name
    effects = ", ".join(effect.name.lower().replace("_", " ") for effect in result.effects)
    return f"{target}: {effects}" if effects else target


def _comparable(record: Record) -> Record:
    """The record without what has no bearing on where it can go, so that there are finitely many."""
    deadline = None if record.deadline is None else MOMENTS[-1]
    return replace(
        record,
        failures=min(record.failures, 4),
        started_at=0.0,
        deadline=deadline,
        exit=None,
        expected=True,
        failure="",
    )
