"""``python -m tests.chaos``: a chaos run; see docs/explanation/chaos.md."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run

APART = "KAHI_CHAOS_APART"
"""Set in the runner that has a mount namespace of its own."""


def main() -> int:
    """Run; 0 when everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long")
    parser.add_argument("--seed", type=int, help="the same seed gives the same actions")
    parser.add_argument("--report", type=Path, help="write a summary there, and samples to a .csv beside it")
    parser.add_argument("--keep", action="store_true", help="keep the directory of the run")
    options = parser.parse_args()
    if os.geteuid() == 0 and APART not in os.environ and shutil.which("unshare"):
        # What is mounted goes with the runner, however it ends.
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.chaos"]
        os.execvpe(command[0], [*command, *sys.argv[1:]], {**os.environ, APART: "1"})
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    print(f"chaos: seed {seed}, {options.seconds:.0f} s", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="kahi-"))
    outcome = run(directory, seed, options.seconds, options.report)
    print("\n".join(outcome.lines))
    if outcome.broken:
        print(f"\nseed {seed} broke: {outcome.broken}\n\nthe last actions:", *outcome.last, sep="\n")
        print(f"\nwhat is left of the run is in {directory}; the same actions: make chaos SEED={seed}")
        return 1
    if not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
