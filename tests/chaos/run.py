"""One chaos run, from its seed to its report."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.chaos import invariants
from tests.chaos.curves import growth, table, write_csv
from tests.chaos.invariants import Invariant, Memory
from tests.chaos.sequence import Action, Kind, actions
from tests.chaos.shape import Shape
from tests.chaos.world import World

LOOKS = 1.0
"""Seconds between two looks at what holds at any time."""

PATIENCE = 20.0
"""Seconds in which what holds soon has to hold."""

SHOWN_ACTIONS = 30

LAST_ACTIONS = 30
"""Between the last peace and the end of the daemon."""


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, problems: Sequence[str]) -> None:
        self.invariant = invariant
        self.problems = problems
        super().__init__(f"{invariant.replace('_', ' ')}: {'; '.join(problems)}")


@dataclass(slots=True)
class Outcome:
    """What came of a run; ``broken`` is "" when everything held."""

    seed: int
    seconds: float = 0.0
    broken: str = ""
    counts: Counter[str] = field(default_factory=Counter[str])
    last: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])


def run(directory: Path, seed: int, seconds: float, report: Path | None = None) -> Outcome:
    """Run for so long, in a directory of its own.

    Args:
        report: where a summary goes, and, beside it, a CSV file of the samples.
    """
    outcome = Outcome(seed)
    last: deque[str] = deque(maxlen=SHOWN_ACTIONS)
    world = World(directory, f"{seed}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        _run(world, seed, seconds, outcome, last)
    except (Broken, AssertionError, OSError) as error:
        outcome.broken = f"{error}" if isinstance(error, Broken) else f"{type(error).__name__}: {error}"
    finally:
        outcome.seconds = world.seconds
        outcome.last = list(last)
        outcome.lines = _summary(world, outcome)
        world.close()
    if report is not None:
        report.write_text("\n".join([*outcome.lines, ""]), encoding="utf-8")
        write_csv(report.with_suffix(".csv"), world.samples)
    return outcome


def _run(world: World, seed: int, seconds: float, outcome: Outcome, last: deque[str]) -> None:
    memory = Memory()
    _come_to_peace(world, memory)
    looked = 0.0
    sequence = actions(seed)
    for action in sequence:
        if world.seconds >= seconds:
            break
        _do(action, world, memory, outcome, last)
        if world.seconds - looked >= LOOKS:
            looked = world.seconds
            world.note_sample()
            _check(invariants.ALWAYS, world, memory)
    world.shape = Shape()
    _come_to_peace(world, memory)
    _check((*invariants.ALWAYS, *invariants.AT_THE_END), world, memory)
    # The end comes in the middle of everything.
    for action in islice(sequence, LAST_ACTIONS):
        _do(action, world, memory, outcome, last)
    code = world.end()
    if code:
        raise Broken("the_daemon_ends_in_order", [f"exit code {code}"])
    for invariant in invariants.ENDED:
        _soon(world, memory, invariant)


def _do(action: Action, world: World, memory: Memory, outcome: Outcome, last: deque[str]) -> None:
    outcome.counts[action.kind.name.lower()] += 1
    last.append(f"{world.seconds:8.2f} {action}")
    if action.kind is Kind.PEACE:
        world.shape = action.shape
        _come_to_peace(world, memory)
    else:
        world.perform(action)
    time.sleep(action.pause)


def _come_to_peace(world: World, memory: Memory) -> None:
    world.settle()
    for invariant in invariants.STOPPED:
        _soon(world, memory, invariant)
    world.note_sample(at_peace=True)
    memory.accounted = world.daemon.output_file.stat().st_size
    world.clean()
    world.start()
    for invariant in invariants.STARTED:
        _soon(world, memory, invariant)
    _check(invariants.ALWAYS, world, memory)


def _check(chosen: Sequence[Invariant], world: World, memory: Memory) -> None:
    for invariant in chosen:
        problems = list(invariant(world, memory))
        if problems:
            raise Broken(invariant.__name__, problems)


def _soon(world: World, memory: Memory, invariant: Invariant) -> None:
    """Wait until an invariant holds."""
    deadline = time.monotonic() + PATIENCE
    while problems := list(invariant(world, memory)):
        if time.monotonic() > deadline:
            raise Broken(invariant.__name__, problems)
        time.sleep(0.05)


def _summary(world: World, outcome: Outcome) -> list[str]:
    latencies = sorted(world.prober.latencies) or [0.0]
    at_peace = [each for each in world.samples if each.at_peace]
    followed = sum(reader.offsets.bytes for reader in world.logs)
    return [
        f"# Chaos: seed {outcome.seed}, {outcome.seconds:.0f} s",
        "",
        f"**{outcome.broken or 'Everything held.'}**",
        "",
        "| what | how much |",
        "|---|---|",
        f"| actions | {sum(outcome.counts.values())}: "
        + ", ".join(f"{name} {count}" for name, count in outcome.counts.most_common())
        + " |",
        f"| events read, without a gap | {world.events.serials.count}, "
        f"{world.events.serials.missed} told as dropped |",
        f"| bytes of logs followed, without a gap | {followed} |",
        f"| answers of the API: median, 99 %, slowest | {statistics.median(latencies) * 1000:.0f} ms, "
        f"{latencies[int(len(latencies) * 0.99)] * 1000:.0f} ms, {latencies[-1] * 1000:.0f} ms |",
        f"| growth at peace after the warm-up (fitted line): resident, proportional | "
        f"{growth(at_peace, 'resident') / 2**20:+.2f} MiB, {growth(at_peace, 'proportional') / 2**20:+.2f} MiB |",
        f"| growth of descriptors, threads at peace | {growth(at_peace, 'descriptors'):+.2f}, "
        f"{growth(at_peace, 'threads'):+.2f} |",
        "",
        *table(world.samples),
    ]
