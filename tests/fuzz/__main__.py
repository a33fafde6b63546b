"""``python -m tests.fuzz``: feed all targets for so long; see docs/explanation/chaos.md."""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback

from hypothesis import Phase, seed

from tests.fuzz.targets import TARGETS, Target

BATCH = 500
"""Inputs between two looks at the clock."""


def feed(target: Target, seconds: float) -> tuple[int, str]:
    """Feed a target for so long; how many inputs it got, and what broke it."""
    count = 0

    def fed() -> None:
        nonlocal count
        count += 1

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        phases = (Phase.generate, Phase.shrink)
        batch = target.feeder(fed, max_examples=BATCH, database=None, derandomize=False, phases=phases)
        try:
            seed(random.SystemRandom().randrange(2**32))(batch)()
        except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
            return count, traceback.format_exc()
    return count, ""


def main() -> int:
    """Fuzz; 0 when nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all without")
    options = parser.parse_args()
    chosen = options.targets or list(TARGETS)
    broken = False
    for name in chosen:
        begin = time.monotonic()
        count, problem = feed(TARGETS[name], options.seconds / len(chosen))
        took = time.monotonic() - begin
        print(f"{name}: {count} inputs in {took:.0f} s, {'broken' if problem else 'all well'}", flush=True)
        if problem:
            print(problem)
            broken = True
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
