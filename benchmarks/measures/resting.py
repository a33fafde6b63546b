"""What a supervisor does while nothing happens."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.subjects import Program, Subject
from benchmarks.workshop import Workshop, register

PROGRAMS = 100


def idle(subject: Subject, workshop: Workshop) -> dict[str, float]:
    """100 programs that do nothing: context switches and processor time of the supervisor in 20 seconds.

    All its processes, all their threads. A quick run looks for 5 seconds, and multiplies.
    """
    seconds = 5.0 if workshop.quick else 20.0
    with register(workshop) as children:
        command = f"{workshop.child} wait {children.path}"
        programs = [Program(f"p{number}", command) for number in range(PROGRAMS)]
        with workshop.running(subject, programs) as daemon:
            seen = 0
            while seen < PROGRAMS:
                seen += len(children.read())
            # What comes after the start, such as writing compiled code and timers that see programs RUNNING.
            time.sleep(4)
            own = daemon.own()
            switches, clock = machine.switches(own), machine.Clock(own)
            time.sleep(seconds)
            return {
                "idle switches": (machine.switches(own) - switches) * 20 / seconds,
                "idle CPU": clock.seconds() * 20 / seconds,
            }
