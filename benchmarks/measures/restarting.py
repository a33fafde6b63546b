"""Children that die: how quickly they are replaced, and what that costs."""

from __future__ import annotations

import os
import signal
import statistics
import time

from benchmarks import machine
from benchmarks.figures import percentile
from benchmarks.subjects import Program, Subject
from benchmarks.workshop import Workshop, now, register

PROGRAMS = 100


def restart(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """100 programs, each of which is killed (SIGKILL) once: from the signal to the report of its successor.

    One at a time, for at most 10 seconds (4 in a quick run): supervisord takes a second for each.
    """
    times: list[float] = []
    with register(workshop) as children:
        command = f"{workshop.child} wait {children.path}"
        programs = [Program(f"p{number}", command) for number in range(PROGRAMS)]
        with workshop.running(subject, programs) as daemon:
            pids: list[int] = []
            while len(pids) < PROGRAMS:
                pids += children.read()
            # They are RUNNING from one second on, and nobody restarts a program within a second of its start.
            time.sleep(2.5)
            deadline = now() + (4 if workshop.quick else 10)
            for pid in pids:
                begin = now()
                os.kill(pid, signal.SIGKILL)
                children.read()
                times.append(now() - begin)
                if now() > deadline:
                    break
            assert daemon.process.poll() is None
    return {"restart, median": statistics.median(times), "restart, p99": percentile(times, 0.99)}


def storm(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """100 programs that fail 1.1 seconds after their start, again and again.

    Each supervisor starts them again at once, since they have lived for a second. Measured is the processor
    time of all its processes for each start, over 10 seconds (5 in a quick run).
    """
    seconds = 5.0 if workshop.quick else 10.0
    with register(workshop) as children:
        children.keep_open()
        command = f"{workshop.child} crash {children.path} 1.1"
        programs = [Program(f"p{number}", command) for number in range(PROGRAMS)]
        with workshop.running(subject, programs) as daemon:
            seen = 0
            while seen < PROGRAMS:
                seen += len(children.read())
            time.sleep(1.5)
            children.read()
            clock, begin, seen = machine.Clock(daemon.own()), now(), 0
            while now() < begin + seconds:
                seen += len(children.read())
            return {"crash": clock.seconds() / seen, "crash rate": seen / (now() - begin)}
