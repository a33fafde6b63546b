"""Many programs: how long they take to start and to stop, what they weigh, what it costs to ask for them."""

from __future__ import annotations

import contextlib
import resource
import statistics
import subprocess
import time
from collections.abc import Callable

from benchmarks import machine
from benchmarks.subjects import ENVIRONMENT, Program, Subject, Unable
from benchmarks.workshop import Register, Running, Workshop, now, register


def crowd_of(count: int) -> Callable[[Subject, Workshop], dict[str, float]]:
    """The measure of ``count`` programs."""

    def crowd(subject: Subject, workshop: Workshop) -> dict[str, float]:
        with register(workshop) as children:
            command = f"{workshop.child} wait {children.path}"
            programs = [Program(f"p{number}", command) for number in range(count)]
            with workshop.running(subject, programs) as daemon:
                found = _start(daemon, children, count)
                # All have lived long enough to be RUNNING, and nothing is under way any more.
                time.sleep(2)
                for part in (_status, _memory, _reload, _command):
                    with contextlib.suppress(Unable):
                        found |= part(daemon)
                return {
                    f"{key} of {count}": value for key, value in (found | _stop(daemon, children)).items()
                }

    crowd.__doc__ = f"{count} programs: start, memory, status, reload and stop."
    return crowd


def _start(daemon: Running, children: Register, count: int) -> dict[str, float]:
    """From exec to the report of the last child, and from that of the first to that of the last."""
    seen = len(children.read())
    first = now()
    while seen < count:
        seen += len(children.read())
    last = now()
    return {"start": last - daemon.begun, "first to last": last - first}


def _memory(daemon: Running) -> dict[str, float]:
    """PSS and descriptors of all processes of the supervisor."""
    own = daemon.own()
    return {"memory": machine.memory(own), "descriptors": machine.descriptors(own)}


def _status(daemon: Running) -> dict[str, float]:
    """From connect to the last byte of the answer on a new connection each; and its size.

    Asked up to 30 times, for at most 5 seconds.
    """
    times: list[float] = []
    size, deadline = 0, now() + 5
    while len(times) < 30 and (now() < deadline or not times):
        begin = now()
        size = daemon.subject.status(daemon.directory)
        times.append(now() - begin)
    return {"status": statistics.median(times), "status size": size}


def _command(daemon: Running) -> dict[str, float]:
    """The status command from exec to its end, and its processor time; up to 10 times, at most 5 seconds."""
    command = daemon.subject.status_command(daemon.directory)
    times: list[float] = []
    spent: list[float] = []
    deadline = now() + 5
    while len(times) < 10 and (now() < deadline or not times):
        before, begin = _of_children(), now()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=ENVIRONMENT)
        times.append(now() - begin)
        spent.append(_of_children() - before)
    return {"ctl status": statistics.median(times), "CPU of ctl status": statistics.median(spent)}


def _reload(daemon: Running) -> dict[str, float]:
    """A reload of an unchanged configuration, from the request to its answer, five times."""
    times: list[float] = []
    for _ in range(5):
        begin = now()
        daemon.subject.reload(daemon.directory)
        times.append(now() - begin)
    return {"reload": statistics.median(times)}


def _stop(daemon: Running, children: Register) -> dict[str, float]:
    """From the signal to the daemon until the last child is gone, and until the daemon is.

    Children keep the FIFO open that they have reported themselves with: it tells their end without polling.
    """
    begin = now()
    daemon.end()
    children.wait_until_all_are_gone()
    found = {"stop": now() - begin}
    daemon.process.wait()
    if daemon.subject.is_gone_last:
        found["gone"] = now() - begin
    return found


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
