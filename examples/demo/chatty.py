"""Prints a line ten times a second."""

from __future__ import annotations

import itertools
import time


def main() -> None:
    """Chat for ever."""
    for number in itertools.count(1):
        print(f"line {number}: all is well", flush=True)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
