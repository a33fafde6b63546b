"""The life of one process as a pure state machine.

[step][kahi.lifecycle.step] takes the record of a process and something that happened, and returns
the new record and what is to be done about it. It knows no clock, no process id and no event loop:
the time is an argument, and whoever calls it carries out the effects and reports back what came of
them. The table `TRANSITIONS` at the end lists what every state does with every event.

A record has at most one deadline. Whoever holds the record owes it an `Elapsed` at that time, so
there can be no timer that nobody waits for.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from kahi.definition import Backoff, StartPolicy, StopPolicy

MINIMUM_START_INTERVAL: Final = 1.0
"""Seconds between two starts of a process when the second is automatic: no hot loop, ever."""

KILL_GRACE: Final = 5.0
"""Seconds after SIGKILL at which a process that is still there is reported as unkillable."""


class State(enum.IntEnum):
    """States of a process, with the codes that clients know them by."""

    STOPPED = 0
    STARTING = 10
    RUNNING = 20
    BACKOFF = 30
    STOPPING = 40
    EXITED = 100
    FATAL = 200


UP: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""States in which there is, or is about to be, a child."""

SETTLED: Final = frozenset({State.STOPPED, State.EXITED, State.FATAL})
"""States that can be left by a start."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: an exit code, or the number of the signal that killed it.

    Both are None when the status could not be learned.
    """

    code: int | None = None
    signal: int | None = None

    @property
    def status(self) -> int:
        """The exit code, or 128 + signal as a shell would say; -1 when unknown."""
        if self.signal is not None:
            return 128 + self.signal
        return -1 if self.code is None else self.code

    @property
    def signal_name(self) -> str | None:
        """The signal's name such as ``SIGKILL``, None when it was not a signal."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"SIG{self.signal}"

    def __str__(self) -> str:
        if self.signal is not None:
            return f"killed by {self.signal_name}"
        return "ended, status unknown" if self.code is None else f"exit status {self.code}"


@dataclass(frozen=True, slots=True)
class Record:
    """Where a process is in its life. Times are seconds on the monotonic clock.

    Args:
        failures: failed starts since the last start by request or the last time it was up.
        started_at: when the present or last child was spawned, or its spawn was last tried.
        deadline: when `Elapsed` is due, None for never.
        spawning: a spawn was ordered and its result is not known yet.
        alive: there is a child that has not been reaped.
        killed: SIGKILL was sent to the present child.
        unkillable: it was still there `KILL_GRACE` after that.
        held: no starts any more (the daemon shuts down).
        exit: how the last child ended, ``expected`` whether the exit code was among `exitcodes`.
        failure: why the last start failed, "" when it did not.
    """

    state: State = State.STOPPED
    failures: int = 0
    started_at: float = -MINIMUM_START_INTERVAL
    deadline: float | None = None
    spawning: bool = False
    alive: bool = False
    killed: bool = False
    unkillable: bool = False
    held: bool = False
    exit: Exit | None = None
    expected: bool = True
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """Somebody wants it up: an operator, autostart, a dependency that is now met."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants it down."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """The ordered spawn succeeded: the program was executed."""


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The ordered spawn failed, ``permanent`` when trying again can not help."""

    reason: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Exited:
    """The child is gone and reaped, and its output delivered.

    ``at`` is when its end was noticed, None for now: delivering and what it left behind take time.
    """

    exit: Exit
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The record's deadline has come."""


@dataclass(frozen=True, slots=True)
class Hold:
    """From now on nothing is started, neither automatically nor on request."""


Event = Start | Stop | Spawned | SpawnFailed | Exited | Elapsed | Hold


class Effect(enum.Enum):
    """What the caller of `step` has to do, in the order given."""

    SPAWN = "spawn the program; answer with Spawned or SpawnFailed"
    ABANDON_SPAWN = "give up the ordered spawn; answer with SpawnFailed, or Spawned if too late"
    SEND_STOP_SIGNAL = "send the stop signal"
    SEND_KILL = "send SIGKILL"
    REPORT_UNKILLABLE = "say that the child outlives SIGKILL"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a step depends on besides record and event.

    ``now`` is seconds on the monotonic clock; ``chance`` in [0, 1) is the throw for jitter.
    """

    now: float
    start: StartPolicy = StartPolicy()
    stop: StopPolicy = StopPolicy()
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one event: the new record, and the effects it asks for."""

    record: Record
    effects: tuple[Effect, ...] = ()


class Refused(Exception):
    """The present state, or a hold, does not allow the event; nothing changed."""

    def __init__(self, state: State, event: Event) -> None:
        self.state = state
        self.event = event
        super().__init__(f"{type(event).__name__} is refused in {state.name}")


def step(record: Record, event: Event, circumstances: Circumstances) -> Step:
    """Decide what ``event`` does to the process that ``record`` describes.

    Returns:
        The new record and the effects to carry out. The same record when nothing changes.

    Raises:
        Refused: a start or stop that the state does not allow.
    """
    if isinstance(event, Elapsed) and (record.deadline is None or circumstances.now < record.deadline):
        return Step(record)
    return TRANSITIONS[record.state][type(event)](record, event, circumstances)


def backoff_delay(backoff: Backoff, failures: int, chance: float) -> float:
    """Seconds to wait after the ``failures``-th failed start in a row (from 1)."""
    exponent = min(failures - 1, 1000)
    try:
        delay = min(backoff.initial * backoff.factor**exponent, backoff.maximum)
    except OverflowError:
        delay = backoff.maximum
    return delay * (1.0 + backoff.jitter * chance)


def is_expected(end: Exit, policy: StartPolicy) -> bool:
    """Whether an end counts as expected; death by a signal never does."""
    return end.code is not None and end.code in policy.exitcodes


def _start_afresh(record: Record, event: Event, c: Circumstances) -> Step:
    if record.held:
        raise Refused(record.state, event)
    return _start_again(replace(record, failures=0), event, c)


def _start_again(record: Record, event: Event, c: Circumstances) -> Step:
    started = replace(
        record,
        state=State.STARTING,
        spawning=True,
        alive=False,
        killed=False,
        unkillable=False,
        started_at=c.now,
        deadline=None,
        failure="",
    )
    return Step(started, (Effect.SPAWN,))


def _spawned(record: Record, event: Event, c: Circumstances) -> Step:
    startsecs = c.start.startsecs
    state, deadline = (State.RUNNING, None) if startsecs <= 0 else (record.state, c.now + startsecs)
    return Step(replace(record, state=state, spawning=False, alive=True, started_at=c.now, deadline=deadline))


def _spawned_too_late(record: Record, event: Event, c: Circumstances) -> Step:
    return _ask_to_end(replace(record, spawning=False, alive=True, started_at=c.now), c)


def _spawn_failed(record: Record, event: Event, c: Circumstances) -> Step:
    assert isinstance(event, SpawnFailed)
    return _failed(replace(record, spawning=False), event.reason, c, permanent=event.permanent)


def _failed(record: Record, reason: str, c: Circumstances, *, permanent: bool = False) -> Step:
    failures = record.failures + 1
    failed = replace(record, failures=failures, failure=reason, deadline=None)
    retries = c.start.startretries
    if permanent or 0 <= retries < failures:
        return Step(replace(failed, state=State.FATAL))
    due = c.now + backoff_delay(c.start.backoff, failures, c.chance)
    deadline = None if record.held else max(due, record.started_at + MINIMUM_START_INTERVAL)
    return Step(replace(failed, state=State.BACKOFF, deadline=deadline))


def _came_up(record: Record, event: Event, c: Circumstances) -> Step:
    settled = c.start.startsecs >= MINIMUM_START_INTERVAL and not c.start.oneshot
    failures = 0 if settled else record.failures
    return Step(replace(record, state=State.RUNNING, deadline=None, failures=failures))


def _ended_while_starting(record: Record, event: Event, c: Circumstances) -> Step:
    assert isinstance(event, Exited)
    gone = _after_exit(record, event, c)
    if c.start.oneshot and gone.expected:
        return Step(replace(gone, state=State.EXITED, failures=0))
    lived = _lived(record, event, c)
    return _failed(gone, f"ended too quickly: {event.exit} after {lived:.1f} s", c)


def _ended_while_running(record: Record, event: Event, c: Circumstances) -> Step:
    assert isinstance(event, Exited)
    gone = _after_exit(record, event, c)
    lived = _lived(record, event, c)
    if lived >= max(c.start.startsecs, MINIMUM_START_INTERVAL) and not c.start.oneshot:
        gone = replace(gone, failures=0)
    if record.held or not _restarts(gone.expected, c.start):
        return Step(replace(gone, state=State.EXITED))
    if not gone.expected and (c.start.oneshot or lived < MINIMUM_START_INTERVAL):
        return _failed(gone, f"ended unexpectedly: {event.exit} after {lived:.1f} s", c)
    due = max(c.now + c.start.restart_delay, record.started_at + MINIMUM_START_INTERVAL)
    return Step(replace(gone, state=State.EXITED, deadline=due))


def _lived(record: Record, event: Exited, c: Circumstances) -> float:
    return (c.now if event.at is None else event.at) - record.started_at


def _restarts(expected: bool, policy: StartPolicy) -> bool:
    if expected and policy.oneshot:
        return False
    return policy.autorestart == "always" or (policy.autorestart == "unexpected" and not expected)


def _ended_while_stopping(record: Record, event: Event, c: Circumstances) -> Step:
    assert isinstance(event, Exited)
    return Step(replace(_after_exit(record, event, c), state=State.STOPPED, failures=0))


def _after_exit(record: Record, event: Exited, c: Circumstances) -> Record:
    return replace(
        record,
        alive=False,
        deadline=None,
        unkillable=False,
        exit=event.exit,
        expected=is_expected(event.exit, c.start),
    )


def _stop_child(record: Record, event: Event, c: Circumstances) -> Step:
    if record.spawning:
        return Step(replace(record, state=State.STOPPING, deadline=None), (Effect.ABANDON_SPAWN,))
    return _ask_to_end(replace(record, state=State.STOPPING), c)


def _ask_to_end(record: Record, c: Circumstances) -> Step:
    if c.stop.wait <= 0:
        killed = replace(record, killed=True, deadline=c.now + KILL_GRACE)
        return Step(killed, (Effect.SEND_STOP_SIGNAL, Effect.SEND_KILL))
    return Step(replace(record, deadline=c.now + c.stop.wait), (Effect.SEND_STOP_SIGNAL,))


def _stop_waiting(record: Record, event: Event, c: Circumstances) -> Step:
    return Step(replace(record, state=State.STOPPED, deadline=None, failures=0))


def _stop_pending_restart(record: Record, event: Event, c: Circumstances) -> Step:
    if record.deadline is None:
        raise Refused(record.state, event)
    return _stop_waiting(record, event, c)


def _abandoned(record: Record, event: Event, c: Circumstances) -> Step:
    return Step(replace(record, state=State.STOPPED, spawning=False, deadline=None, failures=0))


def _escalate(record: Record, event: Event, c: Circumstances) -> Step:
    if record.killed:
        return Step(replace(record, unkillable=True, deadline=None), (Effect.REPORT_UNKILLABLE,))
    return Step(replace(record, killed=True, deadline=c.now + KILL_GRACE), (Effect.SEND_KILL,))


def _hold(record: Record, event: Event, c: Circumstances) -> Step:
    return Step(replace(record, held=True))


def _hold_and_forget_restart(record: Record, event: Event, c: Circumstances) -> Step:
    return Step(replace(record, held=True, deadline=None))


def _refuse(record: Record, event: Event, c: Circumstances) -> Step:
    raise Refused(record.state, event)


def _ignore(record: Record, event: Event, c: Circumstances) -> Step:
    """Late news that changes nothing, such as a deadline that was moved meanwhile."""
    return Step(record)


Handler = Callable[[Record, Event, Circumstances], Step]

_NO_CHILD: Final[dict[type[Event], Handler]] = {
    Spawned: _ignore,
    SpawnFailed: _ignore,
    Exited: _ignore,
}

TRANSITIONS: Final[Mapping[State, Mapping[type[Event], Handler]]] = MappingProxyType(
    {
        State.STOPPED: {
            **_NO_CHILD,
            Start: _start_afresh,
            Stop: _refuse,
            Elapsed: _ignore,
            Hold: _hold,
        },
        State.STARTING: {
            Start: _refuse,
            Stop: _stop_child,
            Spawned: _spawned,
            SpawnFailed: _spawn_failed,
            Exited: _ended_while_starting,
            Elapsed: _came_up,
            Hold: _hold,
        },
        State.RUNNING: {
            Start: _refuse,
            Stop: _stop_child,
            Spawned: _ignore,
            SpawnFailed: _ignore,
            Exited: _ended_while_running,
            Elapsed: _ignore,
            Hold: _hold,
        },
        State.BACKOFF: {
            **_NO_CHILD,
            Start: _start_afresh,
            Stop: _stop_waiting,
            Elapsed: _start_again,
            Hold: _hold_and_forget_restart,
        },
        State.STOPPING: {
            Start: _refuse,
            Stop: _ignore,
            Spawned: _spawned_too_late,
            SpawnFailed: _abandoned,
            Exited: _ended_while_stopping,
            Elapsed: _escalate,
            Hold: _hold,
        },
        State.EXITED: {
            **_NO_CHILD,
            Start: _start_afresh,
            Stop: _stop_pending_restart,
            Elapsed: _start_again,
            Hold: _hold_and_forget_restart,
        },
        State.FATAL: {
            **_NO_CHILD,
            Start: _start_afresh,
            Stop: _refuse,
            Elapsed: _ignore,
            Hold: _hold,
        },
    }
)
