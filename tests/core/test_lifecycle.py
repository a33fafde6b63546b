"""The state machine: by examples from the specification, and by any sequence of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kahi.definition import Backoff, StartPolicy, StopPolicy
from kahi.lifecycle import (
    KILL_GRACE,
    MINIMUM_START_INTERVAL,
    SETTLED,
    TRANSITIONS,
    Circumstances,
    Effect,
    Elapsed,
    Event,
    Exit,
    Exited,
    Hold,
    Record,
    Refused,
    Spawned,
    SpawnFailed,
    Start,
    State,
    Stop,
    backoff_delay,
    step,
)

CLEAN, CRASH, KILLED = Exited(Exit(code=0)), Exited(Exit(code=3)), Exited(Exit(signal=9))
EVENTS: tuple[Event, ...] = (
    Start(),
    Stop(),
    Spawned(),
    SpawnFailed("no", permanent=True),
    CLEAN,
    Elapsed(),
    Hold(),
)


class Life:
    """A record with a clock, for examples to read like stories."""

    def __init__(self, start: StartPolicy | None = None, stop: StopPolicy | None = None) -> None:
        self.record = Record()
        self.now = 1000.0
        self.start = start or StartPolicy()
        self.stop = stop or StopPolicy()

    def __call__(self, *events: Event) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = ()
        for event in events:
            outcome = step(self.record, event, Circumstances(self.now, self.start, self.stop))
            self.record, effects = outcome.record, outcome.effects
        return effects

    def wait(self) -> tuple[Effect, ...]:
        """Let the deadline come."""
        assert self.record.deadline is not None
        self.now = self.record.deadline
        return self(Elapsed())

    @property
    def state(self) -> State:
        return self.record.state


@pytest.mark.fault("P8")
def test_every_state_defines_every_event() -> None:
    assert set(TRANSITIONS) == set(State)
    for handlers in TRANSITIONS.values():
        assert set(handlers) == {type(event) for event in EVENTS}


def test_up_after_startsecs() -> None:
    life = Life()
    assert life(Start()) == (Effect.SPAWN,)
    life(Spawned())
    assert life.state is State.STARTING
    life.wait()
    assert (life.state, life.now) == (State.RUNNING, 1001.0)


def test_startsecs_zero_is_up_at_once() -> None:
    life = Life(StartPolicy(startsecs=0))
    life(Start(), Spawned())
    assert life.state is State.RUNNING


@pytest.mark.parametrize("end", [CLEAN, CRASH, KILLED])
def test_an_early_end_is_a_failed_start(end: Exited) -> None:
    life = Life()
    life(Start(), Spawned(), end)
    assert life.state is State.BACKOFF


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_used_up(retries: int) -> None:
    life = Life(StartPolicy(startretries=retries))
    life(Start(), Spawned(), CRASH)
    spawns = 1
    while life.state is State.BACKOFF:
        assert life.wait() == (Effect.SPAWN,)
        spawns += 1
        life(Spawned(), CRASH)
    assert life.state is State.FATAL
    assert spawns == retries + 1
    assert "exit status 3" in life.record.failure


@pytest.mark.fault("P15")
def test_delays_double_up_to_their_maximum() -> None:
    delays = [backoff_delay(Backoff(), failures, 0) for failures in range(1, 9)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff_delay(Backoff(jitter=0.5), 1, 0.5) == 1.25
    assert backoff_delay(Backoff(factor=1e300), 5000, 0) == 60


def test_a_permanent_failure_is_fatal_at_once_and_a_passing_one_is_not() -> None:
    life = Life()
    life(Start(), SpawnFailed("no such file", permanent=True))
    assert (life.state, life.record.failure) == (State.FATAL, "no such file")
    life = Life()
    life(Start(), SpawnFailed("no memory", permanent=False))
    assert life.state is State.BACKOFF


@pytest.mark.parametrize(
    ("autorestart", "end", "comes_back"),
    [
        ("always", CLEAN, True),
        ("always", CRASH, True),
        ("never", CRASH, False),
        ("unexpected", CLEAN, False),
        ("unexpected", CRASH, True),
        ("unexpected", KILLED, True),
    ],
)
def test_autorestart(autorestart: str, end: Exited, comes_back: bool) -> None:
    life = Life(StartPolicy(autorestart=autorestart))  # type: ignore[arg-type]
    life(Start(), Spawned())
    life.wait()
    life.now += 100
    life(end)
    assert life.state is State.EXITED
    assert (life.record.deadline is not None) == comes_back
    if comes_back:
        assert life.wait() == (Effect.SPAWN,)


def test_a_quick_end_of_a_running_process_is_a_failed_start() -> None:
    life = Life(StartPolicy(startsecs=0, startretries=1))
    life(Start(), Spawned())
    life.now += 0.1
    life(CRASH)
    assert life.state is State.BACKOFF
    life.wait()
    life(Spawned(), CRASH)
    assert life.state is State.FATAL


def test_a_one_shot_may_be_quick() -> None:
    life = Life(StartPolicy(oneshot=True, autorestart="always"))
    life(Start(), Spawned(), CLEAN)
    assert (life.state, life.record.deadline) == (State.EXITED, None)
    life(Start(), Spawned(), CRASH)
    assert life.state is State.BACKOFF


@pytest.mark.fault("P11")
def test_stop_escalates() -> None:
    life = Life(stop=StopPolicy(wait=5))
    life(Start(), Spawned())
    life.wait()
    assert life(Stop()) == (Effect.SEND_STOP_SIGNAL,)
    assert life(Stop()) == ()
    begin = life.now
    assert life.wait() == (Effect.SEND_KILL,)
    assert life.now == begin + 5
    assert life.wait() == (Effect.REPORT_UNKILLABLE,)
    assert life.now == begin + 5 + KILL_GRACE
    assert life.record.deadline is None
    life(KILLED)
    assert life.state is State.STOPPED


def test_stopwaitsecs_zero_kills_at_once() -> None:
    life = Life(stop=StopPolicy(wait=0))
    life(Start(), Spawned())
    assert life(Stop()) == (Effect.SEND_STOP_SIGNAL, Effect.SEND_KILL)


def test_a_stop_between_order_and_spawn() -> None:
    life = Life()
    life(Start())
    assert life(Stop()) == (Effect.ABANDON_SPAWN,)
    assert life(Spawned()) == (Effect.SEND_STOP_SIGNAL,)
    life(CLEAN)
    assert life.state is State.STOPPED


def test_a_start_during_backoff_begins_afresh() -> None:
    life = Life()
    life(Start(), Spawned(), CRASH)
    assert life(Start()) == (Effect.SPAWN,)
    assert life.record.failures == 0


def test_a_stop_calls_off_a_pending_restart() -> None:
    life = Life(StartPolicy(autorestart="always", restart_delay=30))
    life(Start(), Spawned())
    life.wait()
    life(CLEAN, Stop())
    assert (life.state, life.record.deadline) == (State.STOPPED, None)


@pytest.mark.parametrize("state", [State.STOPPED, State.FATAL, State.EXITED])
def test_nothing_to_stop(state: State) -> None:
    with pytest.raises(Refused):
        step(Record(state=state), Stop(), Circumstances(0))


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.STOPPING])
def test_no_second_start(state: State) -> None:
    with pytest.raises(Refused):
        step(Record(state=state), Start(), Circumstances(0))


def test_nothing_starts_by_itself_during_shutdown() -> None:
    life = Life(StartPolicy(autorestart="always"))
    life(Start(), Spawned())
    life.wait()
    life(Hold(), CRASH)
    assert (life.state, life.record.deadline) == (State.EXITED, None)
    life = Life()
    life(Start(), Spawned(), CRASH, Hold())
    assert (life.state, life.record.deadline) == (State.BACKOFF, None)


policies = st.builds(
    StartPolicy,
    startsecs=st.sampled_from([0.0, 0.5, 1.0, 5.0]),
    startretries=st.integers(-1, 3),
    autorestart=st.sampled_from(["always", "never", "unexpected"]),
    oneshot=st.booleans(),
    restart_delay=st.sampled_from([0.0, 2.0]),
    backoff=st.builds(Backoff, initial=st.sampled_from([0.0, 1.0]), jitter=st.sampled_from([0.0, 1.0])),
)
stops = st.builds(StopPolicy, wait=st.sampled_from([0.0, 10.0]))
ends = st.sampled_from([CLEAN, CRASH, KILLED, Exited(Exit())])


class AnyLife(RuleBasedStateMachine):
    """An operator, the clock and a child do what they like; a model keeps count of children."""

    @initialize(start=policies, stop=stops)
    def begin(self, start: StartPolicy, stop: StopPolicy) -> None:
        self.life = Life(start, stop)
        self.ordered = False
        self.child = False
        self.started: float | None = None
        self.by_request = False
        self.held = False

    def take(self, event: Event) -> None:
        before = self.life.record
        try:
            effects = self.life(event)
        except Refused:
            assert self.life.record == before
            return
        if Effect.SPAWN in effects:
            assert not self.ordered, "a spawn was ordered while one was under way"
            assert not self.child, "a second instance"
            if not isinstance(event, Start):
                assert not self.held, "an automatic start during shutdown"
                if self.started is not None:
                    assert self.life.now - self.started >= MINIMUM_START_INTERVAL - 1e-6, "a hot loop"
            self.ordered = True
            self.started = self.life.now
        if Effect.SEND_STOP_SIGNAL in effects or Effect.SEND_KILL in effects:
            assert self.child, "a signal to nobody"

    @rule()
    def start(self) -> None:
        self.take(Start())

    @rule()
    def stop(self) -> None:
        self.take(Stop())

    @rule()
    def hold(self) -> None:
        self.held = True
        self.take(Hold())

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        deadline = self.life.record.deadline
        self.life.now += seconds
        if deadline is not None and self.life.now >= deadline:
            self.life.now = deadline
            self.take(Elapsed())

    @rule()
    def an_early_timer(self) -> None:
        before = self.life.record
        if before.deadline is None or self.life.now < before.deadline:
            self.take(Elapsed())
            assert self.life.record == before

    @precondition(lambda self: self.ordered)
    @rule()
    def spawned(self) -> None:
        self.ordered, self.child = False, True
        self.started = self.life.now
        self.take(Spawned())

    @precondition(lambda self: self.ordered)
    @rule(permanent=st.booleans())
    def spawn_failed(self, permanent: bool) -> None:
        self.ordered = False
        self.take(SpawnFailed("why", permanent))

    @precondition(lambda self: self.child)
    @rule(end=ends)
    def exited(self, end: Exited) -> None:
        self.child = False
        self.take(end)

    @invariant()
    def owned(self) -> None:
        record = self.life.record
        assert record.alive == self.child, "a child without an owner"
        assert record.spawning == self.ordered
        if record.state in SETTLED or record.state is State.BACKOFF:
            assert not self.child
            assert not self.ordered
        else:
            assert self.child or self.ordered, "up without a child"

    @invariant()
    def timers(self) -> None:
        record = self.life.record
        if record.state is State.BACKOFF and not self.held:
            assert record.deadline is not None, "nobody will ever try again"
        if record.state is State.STARTING and record.alive:
            assert record.deadline is not None, "nobody will ever call it up"
        if record.state is State.STOPPING and record.alive and not record.unkillable:
            assert record.deadline is not None, "nobody will ever kill it"
        if record.state in (State.STOPPED, State.FATAL, State.RUNNING):
            assert record.deadline is None, "a timer that means nothing"


AnyLife.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestAnyLife = AnyLife.TestCase


@pytest.mark.fault("P8")
@given(state=st.sampled_from(State), event=st.sampled_from(EVENTS), deadline=st.none() | st.just(0.0))
def test_no_pair_of_state_and_event_is_undefined(state: State, event: Event, deadline: float | None) -> None:
    record = replace(Record(), state=state, deadline=deadline)
    try:
        outcome = step(record, event, Circumstances(10.0))
    except Refused:
        return
    assert isinstance(outcome.record, Record)
