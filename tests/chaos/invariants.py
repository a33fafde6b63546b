"""What has to hold: each is a function that gives what is wrong, and is named for what it asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.chaos import plugin
from tests.chaos.accounting import problems, records_of, shown_lines
from tests.chaos.curves import JUDGED_AFTER, MOST_GROWTH, growth
from tests.chaos.observation import GUARDIAN, Seen, is_still_there, tagged, zombies_of
from tests.chaos.readers import BOUND
from tests.chaos.shape import LISTENERS
from tests.chaos.world import World
from tests.e2e.numbering import content_of, parts_of

Invariant = Callable[[World, "Memory"], Iterator[str]]

REAPED_WITHIN = 10.0
"""Seconds for which somebody may be a zombie: until what is left of its group has been ended."""


@dataclass(slots=True)
class Memory:
    """What earlier looks have seen."""

    zombies: dict[int, float] = field(default_factory=dict[int, float])
    read: int = 0
    """Bytes of the daemon's output that have been looked at for tracebacks."""
    accounted: int = 0
    """Bytes of the daemon's output in which what was shown is accounted for."""
    descriptors: int = 0
    threads: int = 0


def what_was_done_was_answered(world: World, memory: Memory) -> Iterator[str]:
    """No request failed that should not have."""
    yield from world.problems


def the_daemon_is_the_same(world: World, memory: Memory) -> Iterator[str]:
    """It has not ended, and its pid has not changed."""
    if world.daemon.popen.poll() is not None:
        yield f"the daemon ended with {world.daemon.popen.returncode}"
    if world.prober.pids - {world.daemon.pid}:
        yield f"the daemon had pids {world.prober.pids}"


def the_api_answers_in_time(world: World, memory: Memory) -> Iterator[str]:
    """Whatever goes on."""
    yield from world.prober.problems
    slowest = max(world.prober.latencies, default=0.0)
    if slowest > BOUND:
        yield f"an answer took {slowest:.1f} s"


def events_come_without_gaps(world: World, memory: Memory) -> Iterator[str]:
    """Also to a reader that is cut off now and then."""
    yield from world.events.serials.problems


def logs_are_followed_without_gaps(world: World, memory: Memory) -> Iterator[str]:
    """Likewise."""
    for reader in world.logs:
        yield from (f"{reader.process}: {problem}" for problem in reader.offsets.problems)


def all_who_watch_are_there(world: World, memory: Memory) -> Iterator[str]:
    """Or what they do not see would count as well."""
    for thread in (world.prober, world.events, *world.logs):
        if not thread.is_alive():
            yield f"the reader of {thread.name} has died"


def nothing_runs_twice(world: World, memory: Memory) -> Iterator[str]:
    """There is at most one instance of each process."""
    by_name: dict[str, list[Seen]] = {}
    for each in world.processes():
        if each.leads:
            by_name.setdefault(each.name, []).append(each)
    for name, seen in by_name.items():
        # The first of them may have ended while others were looked at.
        there = [each for each in seen if is_still_there(each)] if len(seen) > 1 else []
        if len(there) > 1:
            yield f"{name} runs with pids {[each.pid for each in there]}"


def no_zombie_stays(world: World, memory: Memory) -> Iterator[str]:
    """Who ends is reaped."""
    now = world.seconds
    zombies = zombies_of(world.daemon.pid)
    memory.zombies = {pid: memory.zombies.get(pid, now) for pid in zombies}
    for pid, since in memory.zombies.items():
        if now - since > REAPED_WITHIN:
            yield f"pid {pid} has been a zombie for {now - since:.0f} s"


def the_log_has_no_traceback(world: World, memory: Memory) -> Iterator[str]:
    """But those of the plugin that fails on purpose."""
    with world.daemon.output_file.open("rb") as file:
        file.seek(memory.read)
        text = file.read()
    whole = text.rfind(b"\n") + 1
    memory.read += whole
    for line in text[:whole].splitlines():
        is_bad = b"Traceback" in line or b"never retrieved" in line or b"Warning: " in line
        if is_bad and f"{plugin.NAME}_module.py".encode() not in line:
            yield line.decode("utf-8", "replace")


def nothing_is_left(world: World, memory: Memory) -> Iterator[str]:
    """When everything is stopped, only the guardian is there beside the daemon, and no zombie."""
    left = [each for each in world.processes() if each.program != GUARDIAN]
    if left:
        yield f"these still run: {left}"
    guardians = [each for each in world.processes() if each.program == GUARDIAN]
    if len(guardians) != 1:
        yield f"there are {len(guardians)} guardians"
    zombies = zombies_of(world.daemon.pid)
    if zombies:
        yield f"these are zombies: {zombies}"


def descriptors_and_threads_are_back(world: World, memory: Memory) -> Iterator[str]:
    """When everything is stopped, there are no more than when it was so for the first time."""
    pid = world.daemon.pid
    descriptors, threads = len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))
    if not memory.descriptors:
        memory.descriptors, memory.threads = descriptors, threads
    if descriptors > memory.descriptors:
        targets = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
        yield f"{descriptors} descriptors in place of {memory.descriptors}: {targets}"
    if threads > memory.threads:
        yield f"{threads} threads in place of {memory.threads}"


def every_byte_is_accounted_for(world: World, memory: Memory) -> Iterator[str]:
    """When everything is stopped, what programs wrote is in their logs, or counted as lost."""
    for directory in sorted(world.places.records.iterdir()):
        name = directory.name
        if name == "shown":
            if not world.disk.spares_console:
                # There are no marks on the console where something is lost.
                continue
            with world.daemon.output_file.open("rb") as file:
                file.seek(memory.accounted)
                content = shown_lines(file.read(), name)
        else:
            content = content_of(parts_of(world.places.log_of(name)))
        yield from (f"{name}: {problem}" for problem in problems(content, records_of(directory)))


def exactly_what_is_wanted_runs(world: World, memory: Memory) -> Iterator[str]:
    """When everything is started, each process that goes on for good runs once, and none that is not wanted."""
    seen = {each.name for each in world.processes() if each.leads}
    wanted = {*world.shape.running, "hearing"}
    if wanted - seen:
        yield f"these do not run: {sorted(wanted - seen)}"
    strangers = seen - {*world.shape.processes, *LISTENERS}
    if strangers:
        yield f"these should not run: {sorted(strangers)}"
    states = {process.name: process.state for process in world.daemon.processes().values()}
    if missing := wanted - states.keys():
        yield f"the API does not tell of {sorted(missing)}"
    if states.keys() - {*world.shape.processes, *LISTENERS} - {f"{name}_0" for name in LISTENERS}:
        yield f"the API tells of {sorted(states)}"
    for name in world.shape.running:
        if states.get(name) != "RUNNING":
            yield f"the API says that {name} is {states.get(name)}"


def the_curves_are_flat(world: World, memory: Memory) -> Iterator[str]:
    """At peace, in a run that is long enough to tell."""
    at_peace = [each for each in world.samples if each.at_peace]
    if world.seconds < JUDGED_AFTER:
        return
    for what, most in MOST_GROWTH.items():
        more = growth(at_peace, what)
        if more > most:
            yield f"{what} at peace grew by {more:.1f} after the warm-up (at most {most})"


def nobody_outlives_the_daemon(world: World, memory: Memory) -> Iterator[str]:
    """When it has ended in order, nobody whom it started is there."""
    yield from (f"{each} is still there" for each in tagged(world.tag))


ALWAYS: tuple[Invariant, ...] = (
    the_daemon_is_the_same,
    all_who_watch_are_there,
    what_was_done_was_answered,
    the_api_answers_in_time,
    events_come_without_gaps,
    logs_are_followed_without_gaps,
    nothing_runs_twice,
    no_zombie_stays,
    the_log_has_no_traceback,
)
"""What holds at any time."""

STOPPED: tuple[Invariant, ...] = (
    nothing_is_left,
    every_byte_is_accounted_for,
    descriptors_and_threads_are_back,
)
"""What holds soon after everything was stopped."""

STARTED: tuple[Invariant, ...] = (exactly_what_is_wanted_runs,)
"""What holds soon after everything was started."""

AT_THE_END: tuple[Invariant, ...] = (the_curves_are_flat,)

ENDED: tuple[Invariant, ...] = (
    nobody_outlives_the_daemon,
    every_byte_is_accounted_for,
    what_was_done_was_answered,
    events_come_without_gaps,
    logs_are_followed_without_gaps,
    the_log_has_no_traceback,
)
"""What holds soon after the daemon has ended, whatever was going on."""
