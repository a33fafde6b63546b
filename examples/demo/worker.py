"""A worker of a pool; after some jobs it crashes, as workers do."""

from __future__ import annotations

import random
import sys
import time


def main() -> None:
    """Work until something goes wrong."""
    number = int(sys.argv[1])
    for job in range(1, random.randint(8, 25)):
        time.sleep(random.uniform(0.5, 1.5))
        print(f"worker {number}: job {job} done", flush=True)
    raise SystemExit(f"worker {number}: out of luck")


if __name__ == "__main__":
    main()
