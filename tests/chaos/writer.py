"""A program that prints numbered lines and keeps a record of them that outlives it.

Run as ``writer.py RECORDS PAUSE [WORD]...``: a line each ``PAUSE`` seconds, each of the same length:
the run's name and the number of the line. SIGUSR1 has it print thousands at once. The record of a
run is a file of two numbers, the lines that it began and those that it ended to write: they differ
by those that it was killed over.

Words: ``stubborn`` ignores SIGTERM, ``family`` has a child that sleeps, ``limit=N`` ends after N lines.
"""

import contextlib
import mmap
import os
import signal
import struct
import sys
import time

BATCH = 50
BURST = 200
"""Batches that are printed at once."""

records, pause = sys.argv[1], float(sys.argv[2])
words = sys.argv[3:]
limit = next((int(word[6:]) for word in words if word.startswith("limit=")), 0)
run = f"{os.getpid():08}-{time.monotonic_ns() // 1000:012x}"
directory = os.path.join(records, os.environ["SUPERVISOR_PROCESS_NAME"])
os.makedirs(directory, exist_ok=True)
record = os.open(os.path.join(directory, run), os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(record, 16)
counts = mmap.mmap(record, 16)
ending = False
bursts = 0


def end(*_):
    global ending
    ending = True


def burst(*_):
    global bursts
    bursts += 1


def write(first, count):
    """Print lines, all of them or none: a pipe takes so few at once."""
    struct.pack_into("Q", counts, 0, first + count)
    os.write(1, b"".join(b"%s %010d\n" % (run.encode(), number) for number in range(first, first + count)))
    struct.pack_into("Q", counts, 8, first + count)


signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in words else end)
signal.signal(signal.SIGUSR1, burst)
if "family" in words and os.fork() == 0:
    time.sleep(3600)
    os._exit(0)
os.set_blocking(0, False)
done = 0
while not ending and not (limit and done >= limit):
    write(done, 1)
    done += 1
    if bursts:
        bursts -= 1
        for _ in range(BURST):
            if not ending:
                write(done, BATCH)
                done += BATCH
    with contextlib.suppress(OSError):
        os.read(0, 65536)
    time.sleep(pause)
