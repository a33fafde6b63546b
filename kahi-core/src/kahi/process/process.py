"""One supervised process: the state machine driven with a real child, its output and its timer.

All of it happens on the event-loop thread. A step of the state machine is committed whole, then
published, then its effects are carried out; what comes of them is the next step. Whoever waits for
a state awaits a future that a commit resolves.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections import deque
from collections.abc import Callable

from kahi import lifecycle
from kahi.child import Pipes
from kahi.definition import ProcessDefinition
from kahi.errors import AlreadyStarted, NoInput, NotRunning, RefusedTransition, ShuttingDown, SpawnError
from kahi.lifecycle import SETTLED, Circumstances, Effect, Exit, Record, State
from kahi.output import OutputStream
from kahi.process.announcement import change_event, log_change
from kahi.process.attempt import Attempt
from kahi.process.host import Health, Host
from kahi.process.leader import Leader
from kahi.process.waiters import Waiters

log = logging.getLogger(__name__)


class Process:
    """A process under supervision, for as long as the configuration has it.

    Args:
        definition: what to run and how; replaced by `redefine` when live keys change.
        host: the daemon around it.
    """

    __slots__ = (
        "_attempt",
        "_failed_to_spawn",
        "_host",
        "_leader",
        "_pending",
        "_record",
        "_started_wall",
        "_stepping",
        "_stopped_wall",
        "_timer",
        "_waiters",
        "definition",
        "exits",
        "health_monitor",
        "restarts",
        "starts",
        "stderr",
        "stdout",
        "unexpected_exits",
        "waits_for",
    )

    def __init__(self, definition: ProcessDefinition, host: Host) -> None:
        self.definition = definition
        self._host = host
        self._record = Record()
        self._pending: deque[lifecycle.Event] = deque()
        self._stepping = False
        self._attempt: Attempt | None = None
        self._leader: Leader | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiters = Waiters(host.loop)
        self._failed_to_spawn = False
        self._started_wall: float | None = None
        self._stopped_wall: float | None = None
        self.starts = 0
        self.restarts = 0
        self.exits = 0
        self.unexpected_exits = 0
        self.waits_for = ""
        self.health_monitor: Health | None = None
        self.stdout = host.open_stream(definition, "stdout")
        self.stderr = None if definition.stderr is None else host.open_stream(definition, "stderr")

    # What it is

    @property
    def name(self) -> str:
        """Its name, unique over the whole daemon."""
        return self.definition.name

    @property
    def group(self) -> str:
        """The name of its group."""
        return self.definition.group

    @property
    def program(self) -> str:
        """The name of the table it comes from."""
        return self.definition.program

    @property
    def state(self) -> State:
        """Its present state."""
        return self._record.state

    @property
    def record(self) -> Record:
        """Where it is in its life, whole."""
        return self._record

    @property
    def pid(self) -> int:
        """The pid of its child, 0 when there is none."""
        return 0 if self._leader is None else self._leader.pid

    @property
    def streams(self) -> tuple[OutputStream, ...]:
        """stdout and stderr, or the one stream for both."""
        return (self.stdout,) if self.stderr is None else (self.stdout, self.stderr)

    @property
    def exit(self) -> Exit | None:
        """How its last child ended; None when none has yet."""
        return self._record.exit

    @property
    def expected_exit(self) -> bool:
        """Whether the last child ended with one of `exitcodes`."""
        return self._record.exit is not None and self._record.expected

    @property
    def spawn_error(self) -> str:
        """Why the last start failed, "" when it did not."""
        return self._record.failure

    @property
    def failed_to_spawn(self) -> bool:
        """Whether the last start failed before the program ran."""
        return self._failed_to_spawn

    @property
    def started_at(self) -> float | None:
        """When the present or last child was spawned (seconds since the epoch)."""
        return self._started_wall

    @property
    def stopped_at(self) -> float | None:
        """When the last child ended (seconds since the epoch)."""
        return self._stopped_wall

    @property
    def uptime(self) -> float:
        """Seconds the present child has lived, 0 when there is none."""
        if not self._record.alive:
            return 0.0
        return self._host.system.monotonic() - self._record.started_at

    @property
    def health(self) -> str:
        """``none`` without checks, else ``starting``, ``healthy`` or ``unhealthy``."""
        return "none" if self.health_monitor is None else self.health_monitor.status

    @property
    def ready(self) -> bool:
        """Whether it runs, and is healthy where that is checked."""
        return self.state is State.RUNNING and self.health in ("none", "healthy")

    # What can be asked of it

    def start(self) -> None:
        """Start it; the retry counter begins afresh.

        Raises:
            AlreadyStarted: it is up, or on its way.
            RefusedTransition: it is being stopped.
            ShuttingDown: nothing is started any more.
        """
        if self._record.held:
            raise ShuttingDown
        if self.state in (State.STARTING, State.RUNNING):
            raise AlreadyStarted(self.name)
        self._ask(lifecycle.Start(), "STARTING")

    def stop(self) -> None:
        """Stop it: the stop signal, then SIGKILL after `stopwaitsecs`. Asking again is fine.

        Raises:
            NotRunning: there is nothing to stop.
        """
        if self.state in lifecycle.SETTLED and self._record.deadline is None:
            raise NotRunning(self.name)
        self._ask(lifecycle.Stop(), "STOPPED")

    def hold(self) -> None:
        """Never start it again (the daemon is shutting down)."""
        self._apply(lifecycle.Hold())

    def send_signal(self, signum: int) -> None:
        """Send a signal to the process itself, not to its group.

        Raises:
            NotRunning: it has no child that could get one.
        """
        self._living_leader().send(signum, whole_group=False)

    def kill(self) -> None:
        """Send SIGKILL to its whole process group, whatever the configuration says."""
        if self._leader is not None:
            self._leader.send(signal.SIGKILL, whole_group=True)

    def write_stdin(self, data: bytes) -> None:
        """Pass ``data`` to its standard input without waiting.

        Raises:
            NotRunning: it has no child.
            NoInput: the child takes no input, or does not read any more.
            StdinFull: the pipe and the queue behind it have no room.
        """
        self._living_leader().write_stdin(data)

    def end_stdin(self) -> None:
        """End its standard input, where its definition allows that.

        Raises:
            NotRunning: it has no child.
            NoInput: it takes no input, or its end is not allowed.
        """
        self.refuse_end_of_stdin()
        self._living_leader().end_stdin()

    def refuse_end_of_stdin(self) -> None:
        """Raises NoInput when nobody may end its standard input."""
        if not self.definition.stdin_eof:
            raise NoInput(self.name, "its input may not be ended (stdin_eof is false)")

    def _living_leader(self) -> Leader:
        if self._leader is None or self._leader.exit is not None:
            raise NotRunning(self.name)
        return self._leader

    def redefine(self, definition: ProcessDefinition) -> None:
        """Take over another definition; what is fixed at exec counts from the next start."""
        self.definition = definition
        self.stdout.reconfigure(definition.stdout)
        if definition.stderr is None:
            if self.stderr is not None:
                self.stderr.retire()
            self.stderr = None
        elif self.stderr is None:
            self.stderr = self._host.open_stream(definition, "stderr")
        else:
            self.stderr.reconfigure(definition.stderr)

    def retire(self) -> None:
        """Release its logs: the process leaves the configuration."""
        for stream in self.streams:
            stream.retire()

    def when(self, condition: Callable[[State], bool]) -> asyncio.Future[State]:
        """A future of the first state, from the present one on, for which ``condition`` holds.

        A state that lasts only for a moment is not missed. Cancel the future to stop waiting.
        """
        return self._waiters.add(lambda record: condition(record.state), self._record)

    def when_down(self) -> asyncio.Future[State]:
        """A future that is done once it is down, or outlives SIGKILL so that waiting is in vain."""
        return self._waiters.add(lambda record: record.state in SETTLED or record.unkillable, self._record)

    # Steps

    def _ask(self, event: lifecycle.Event, wanted: str) -> None:
        try:
            lifecycle.step(self._record, event, self._circumstances())
        except lifecycle.Refused as refused:
            raise RefusedTransition(self.name, refused.state.name, wanted) from None
        self._apply(event)

    def _apply(self, event: lifecycle.Event) -> None:
        """Take the steps that ``event`` brings; what they lead to is queued behind it."""
        self._pending.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._pending:
                self._step(self._pending.popleft())
        finally:
            self._stepping = False

    def _step(self, event: lifecycle.Event) -> None:
        before = self._record
        try:
            outcome = lifecycle.step(before, event, self._circumstances())
        except lifecycle.Refused:
            # Queued behind a step that changed the state: overtaken by events.
            log.debug("%s: %s came too late in %s", self.name, type(event).__name__, before.state.name)
            return
        self._record = outcome.record
        self._set_timer()
        if outcome.record.state is not before.state:
            self._note_change(before, event)
            self._publish(before.state)
        for effect in outcome.effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Effect.SPAWN:
                self._begin_spawn()
            case Effect.ABANDON_SPAWN:
                self._abandon_spawn()
            case Effect.SEND_STOP_SIGNAL:
                self._send_stop_signal()
            case Effect.SEND_KILL:
                self._send_kill()
            case Effect.REPORT_UNKILLABLE:
                self._report_unkillable()

    def _circumstances(self) -> Circumstances:
        start = self.definition.start
        chance = random.random() if start.backoff.jitter else 0.0  # noqa: S311
        return Circumstances(self._host.system.monotonic(), start, self.definition.stop, chance)

    def _note_change(self, before: Record, event: lifecycle.Event) -> None:
        if isinstance(event, lifecycle.Elapsed) and self.state is State.STARTING:
            self.restarts += 1
        if isinstance(event, lifecycle.Exited):
            self.exits += 1
            # An end that was asked for is no surprise, whatever the status says.
            self.unexpected_exits += not self._record.expected and before.state is not State.STOPPING
        if before.alive and not self._record.alive:
            self._stopped_wall = self._host.system.wall_clock()

    def _publish(self, before: State) -> None:
        log_change(self)
        self._waiters.wake(self._record)
        self._host.events.publish(change_event(self, before))
        if not self._record.alive:
            self._leader = None
        self._host.on_change(self)

    def _set_timer(self) -> None:
        deadline = self._record.deadline
        timer = self._timer
        if timer is not None:
            timer.cancel()
            self._timer = None
        if deadline is not None:
            delay = deadline - self._host.system.monotonic()
            self._timer = self._host.loop.call_later(max(0.0, delay), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        deadline = self._record.deadline
        if deadline is None or (self._leader is not None and self._leader.notice_exit()):
            return
        if self._host.system.monotonic() < deadline:
            # The loop's clock has a granularity; never take a step before its time.
            self._set_timer()
            return
        self._apply(lifecycle.Elapsed())

    # Spawning

    def _begin_spawn(self) -> None:
        self._attempt = Attempt(self, self._host, self._spawned, self._spawn_failed)
        self._attempt.begin()

    def _spawned(self, pid: int, pipes: Pipes) -> None:
        self.starts += 1
        self._failed_to_spawn = False
        self._started_wall = self._host.system.wall_clock()
        self._stopped_wall = None
        self._leader = Leader(
            self.name,
            pid,
            pipes,
            self.streams,
            self._host,
            end_leftovers_by=self._end_leftovers_by,
            gone=self._ended,
        )
        self._apply(lifecycle.Spawned())

    def _spawn_failed(self, error: SpawnError) -> None:
        self._failed_to_spawn = True
        self._apply(lifecycle.SpawnFailed(str(error), error.permanent))

    def _abandon_spawn(self) -> None:
        if self._attempt is not None:
            self._attempt.give_up()
        self._apply(lifecycle.SpawnFailed("stopped before it was spawned", permanent=False))

    def _ended(self, end: Exit, at: float) -> None:
        deadline = self._record.deadline
        if self.state is State.STARTING and deadline is not None and at >= deadline:
            # It had come up, as far as anybody can tell: the daemon itself may have been stopped.
            self._apply(lifecycle.Elapsed())
        self._apply(lifecycle.Exited(end, at))

    # Signals

    def _send_stop_signal(self) -> None:
        stop = self.definition.stop
        if self._leader is not None:
            self._leader.send(stop.signal, whole_group=stop.as_group)
            # A stopped process would take the signal only once it is continued.
            self._leader.send(signal.SIGCONT, whole_group=stop.as_group)

    def _send_kill(self) -> None:
        if self._leader is not None:
            log.warning("%s: still there after its stop signal, sending SIGKILL", self.name)
            self._leader.send(signal.SIGKILL, whole_group=self.definition.stop.kill_as_group)

    def _report_unkillable(self) -> None:
        log.error("%s: pid %d is still there %.0f s after SIGKILL", self.name, self.pid, lifecycle.KILL_GRACE)
        self._waiters.wake(self._record)

    def _end_leftovers_by(self) -> float | None:
        """Until when the rest of the process group may end by itself; None leaves it alone."""
        stop, record = self.definition.stop, self._record
        if not stop.kill_as_group:
            return None
        now = self._host.system.monotonic()
        if record.killed:
            return now
        if record.state is State.STOPPING and record.deadline is not None:
            return record.deadline
        return now + stop.wait
