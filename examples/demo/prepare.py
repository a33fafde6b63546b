"""A one-shot: does its work and ends."""

from __future__ import annotations

import time


def main() -> None:
    """Pretend to migrate a database."""
    print("preparing ...", flush=True)
    time.sleep(0.2)
    print("prepared", flush=True)


if __name__ == "__main__":
    main()
