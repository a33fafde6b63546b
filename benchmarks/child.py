"""What child.c does, for machines without a C compiler: it starts and prints more slowly."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

END = b"this is the end\n"


def write(data: bytes) -> None:
    """All of it."""
    while data:
        data = data[os.write(1, data) :]


def wait_at(gate: str) -> None:
    """Until it is open."""
    fcntl.flock(os.open(gate, os.O_RDONLY), fcntl.LOCK_SH)


def announce(path: str) -> None:
    """Write the pid to a FIFO, which stays open."""
    os.write(os.open(path, os.O_WRONLY), b"%d\n" % os.getpid())


def print_pieces(gate: str, size: int, count: int) -> None:
    """``count`` lines, for ever if it is -1, and a last one."""
    piece = b"x" * (size - 1) + b"\n"
    wait_at(gate)
    while count:
        write(piece)
        count -= 1
    write(END)


def print_numbers(gate: str, rate: float) -> None:
    """Numbered lines until SIGTERM, and a last one."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    wait_at(gate)
    number = 0
    while not told:
        write(b"%d\n" % number)
        number += 1
        time.sleep(1 / rate)
    write(END)


def main() -> None:
    """Do what the command line says; see child.c."""
    what, place, *numbers = sys.argv[1:]
    if what == "wait":
        announce(place)
    elif what == "crash":
        announce(place)
        time.sleep(float(numbers[0]))
        sys.exit(1)
    elif what == "print":
        print_pieces(place, int(numbers[0]), int(numbers[1]))
    else:
        print_numbers(place, float(numbers[0]))
        sys.exit(0)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
