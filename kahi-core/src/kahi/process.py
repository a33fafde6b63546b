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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from kahi import lifecycle
from kahi.child import Launch, Pipes, make_launch, spawn
from kahi.definition import ProcessDefinition
from kahi.errors import AlreadyStarted, NotRunning, RefusedTransition, SpawnError, StdinFull
from kahi.events import EventBus, ProcessStateEvent
from kahi.leftovers import GroupScans, Leftovers
from kahi.lifecycle import Circumstances, Effect, Exit, Record, State
from kahi.output import OutputStream
from kahi.reaper import Reaper
from kahi.stdin import StdinClosed, StdinPipe, StdinQueueFull
from kahi.system import System

log = logging.getLogger(__name__)

DRAIN_LIMIT: Final = 1.0
"""Seconds an exit waits for what the child printed to be delivered (a log disk may hang)."""

_Waiter = tuple[Callable[[State], bool], "asyncio.Future[State]"]

Prepare = Callable[["Process", Launch], Awaitable[Launch]]


class Health(Protocol):
    """What watches whether a running process does its work."""

    @property
    def status(self) -> str:
        """``none``, ``starting``, ``healthy`` or ``unhealthy``."""
        ...

    @property
    def remark(self) -> str:
        """What it last said about itself, for people; "" for nothing."""
        ...


@dataclass(slots=True)
class Host:
    """What a process needs of the daemon around it.

    Args:
        environment: the daemon's own, for children that inherit it.
        server_url: where the control socket is served, "" when it is not.
        prepare: asked before each spawn; None when no plugin wants to be.
        input_for: gives a process its stdin in place of a pipe (FastCGI sockets), as a descriptor
            that stays open, or None.
        on_change: told after each change of state has been published.
        open_stream: makes the stream of a process that is called ``stdout`` or ``stderr``.
        reopen_logs: has all log files opened anew.
    """

    system: System
    loop: asyncio.AbstractEventLoop
    reaper: Reaper
    group_scans: GroupScans
    events: EventBus
    environment: Mapping[str, str]
    on_change: Callable[[Process], None]
    open_stream: Callable[[ProcessDefinition, str], OutputStream]
    reopen_logs: Callable[[], None]
    server_url: str = ""
    prepare: Prepare | None = None
    input_for: Callable[[Process], int | None] | None = None


class Process:
    """A process under supervision, for as long as the configuration has it.

    Args:
        definition: what to run and how; replaced by `redefine` when live keys change.
        host: the daemon around it.
    """

    __slots__ = (
        "_attempt",
        "_draining",
        "_exit",
        "_failed_to_spawn",
        "_host",
        "_leftovers",
        "_pending",
        "_record",
        "_started_wall",
        "_stdin",
        "_stepping",
        "_stopped_wall",
        "_timer",
        "_waiters",
        "definition",
        "exits",
        "health_monitor",
        "pid",
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
        self._attempt = 0
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: tuple[_Waiter, ...] = ()
        self._stdin: StdinPipe | None = None
        self._exit: Exit | None = None
        self._failed_to_spawn = False
        self._draining = 0
        self._leftovers: Leftovers | None = None
        self._started_wall: float | None = None
        self._stopped_wall: float | None = None
        self.pid = 0
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
        """
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
        """Never start it automatically again (the daemon is shutting down)."""
        self._apply(lifecycle.Hold())

    def send_signal(self, signum: int) -> None:
        """Send a signal to the process itself, not to its group.

        Raises:
            NotRunning: it has no child that could get one.
        """
        if not self._record.alive or self._exit is not None:
            raise NotRunning(self.name)
        self._signal(signum, whole_group=False)

    def kill(self) -> None:
        """Send SIGKILL to its whole process group, whatever the configuration says."""
        if self._record.alive:
            self._signal(signal.SIGKILL, whole_group=True)

    def write_stdin(self, data: bytes) -> None:
        """Pass ``data`` to its standard input without waiting.

        Raises:
            NotRunning: it has no child, or the child does not read any more.
            StdinFull: the pipe and the queue behind it have no room.
        """
        if self._stdin is None:
            raise NotRunning(self.name)
        try:
            self._stdin.write(data)
        except StdinClosed:
            raise NotRunning(self.name) from None
        except StdinQueueFull:
            raise StdinFull(self.name) from None

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
        self.stdout.retire()
        if self.stderr is not None:
            self.stderr.retire()

    def when(self, condition: Callable[[State], bool]) -> asyncio.Future[State]:
        """A future of the first state, from the present one on, for which ``condition`` holds.

        A state that lasts only for a moment is not missed. Cancel the future to stop waiting.
        """
        future: asyncio.Future[State] = self._host.loop.create_future()
        if condition(self.state):
            future.set_result(self.state)
        else:
            self._waiters = (*self._waiters, (condition, future))
        return future

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
            self.unexpected_exits += not self._record.expected
        if before.alive and not self._record.alive:
            self._stopped_wall = self._host.system.wall_clock()

    def _publish(self, before: State) -> None:
        record = self._record
        self._log_change()
        self._wake_waiters()
        ended = record.exit if record.state in (State.EXITED, State.BACKOFF, State.FATAL) else None
        self._host.events.publish(
            ProcessStateEvent(
                name=self.name,
                group=self.group,
                state=record.state.name,
                from_state=before.name,
                pid=self.pid,
                tries=record.failures,
                expected=record.expected,
                exitstatus=0 if ended is None else ended.status,
                exit_signal=None if ended is None else ended.signal_name,
                spawn_error=record.failure,
            )
        )
        if not record.alive:
            self.pid = 0
        self._host.on_change(self)

    def _log_change(self) -> None:
        record = self._record
        match record.state:
            case State.RUNNING:
                log.info("%s: running, pid %d", self.name, self.pid)
            case State.EXITED if record.exit is not None:
                remark = "expected" if record.expected else "not expected"
                log.info("%s: %s (%s)", self.name, record.exit, remark)
            case State.BACKOFF:
                log.warning("%s: start %d failed: %s", self.name, record.failures, record.failure)
            case State.FATAL:
                log.error("%s: given up: %s", self.name, record.failure)
            case State.STOPPED:
                log.info("%s: stopped", self.name)
            case _:
                log.debug("%s: %s", self.name, record.state.name)

    def _wake_waiters(self) -> None:
        if not self._waiters:
            return
        still_waiting: list[_Waiter] = []
        for condition, future in self._waiters:
            if future.done():
                continue
            if condition(self.state):
                future.set_result(self.state)
            else:
                still_waiting.append((condition, future))
        self._waiters = tuple(still_waiting)

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
        if deadline is None or self._notice_exit():
            return
        if self._host.system.monotonic() < deadline:
            # The loop's clock has a granularity; never take a step before its time.
            self._set_timer()
            return
        self._apply(lifecycle.Elapsed())

    # Spawning

    def _begin_spawn(self) -> None:
        self._attempt += 1
        attempt = self._attempt
        streams = [self.stdout] if self.stderr is None else [self.stdout, self.stderr]
        awaited = len(streams)

        def opened(error: SpawnError | None) -> None:
            nonlocal awaited
            awaited -= 1
            if attempt != self._attempt:
                return
            if error is not None:
                self._spawn_failed(error)
            elif awaited == 0:
                self._prepare_spawn(attempt)

        for stream in streams:
            stream.open(opened)

    def _prepare_spawn(self, attempt: int) -> None:
        try:
            launch = make_launch(self.definition, self._host.environment, server_url=self._host.server_url)
        except SpawnError as error:
            self._spawn_failed(error)
            return
        if self._host.prepare is None:
            self._spawn(launch)
            return
        task = self._host.loop.create_task(self._prepare_and_spawn(attempt, launch, self._host.prepare))
        _spawning.add(task)
        task.add_done_callback(_spawning.discard)

    async def _prepare_and_spawn(self, attempt: int, launch: Launch, prepare: Prepare) -> None:
        try:
            prepared = await prepare(self, launch)
        except SpawnError as error:
            if attempt == self._attempt:
                self._spawn_failed(error)
            return
        if attempt == self._attempt:
            self._spawn(prepared)

    def _spawn(self, launch: Launch) -> None:
        host = self._host
        try:
            shared = None if host.input_for is None else host.input_for(self)
            stdin = self.definition.spawn.stdin if shared is None else shared
            pipes = Pipes(host.system, stdin, separate_stderr=self.stderr is not None)
        except SpawnError as error:
            self._spawn_failed(error)
            return
        try:
            pid = spawn(host.system, launch, pipes.child)
        except SpawnError as error:
            pipes.close()
            self._spawn_failed(error)
            return
        pipes.close_child_ends()
        self._adopt(pid, pipes)

    def _adopt(self, pid: int, pipes: Pipes) -> None:
        host = self._host
        self.pid = pid
        self.starts += 1
        self._exit = None
        self._failed_to_spawn = False
        self._started_wall = host.system.wall_clock()
        self._stopped_wall = None
        if pipes.stdin >= 0:
            self._stdin = StdinPipe(pipes.stdin, host.system, host.loop)
        self.stdout.attach(pipes.stdout, pid)
        if self.stderr is not None:
            self.stderr.attach(pipes.stderr, pid)
        host.reaper.watch(pid, self._notice_exit)
        self._apply(lifecycle.Spawned())

    def _spawn_failed(self, error: SpawnError) -> None:
        self._attempt += 1
        self._failed_to_spawn = True
        self._apply(lifecycle.SpawnFailed(str(error), error.permanent))

    def _abandon_spawn(self) -> None:
        self._attempt += 1
        self._apply(lifecycle.SpawnFailed("stopped before it was spawned", permanent=False))

    # Signals

    def _send_stop_signal(self) -> None:
        self._signal(self.definition.stop.signal, whole_group=self.definition.stop.as_group)
        # A stopped process would take the signal only once it is continued.
        self._signal(signal.SIGCONT, whole_group=self.definition.stop.as_group)

    def _send_kill(self) -> None:
        log.warning("%s: still there after its stop signal, sending SIGKILL", self.name)
        self._signal(signal.SIGKILL, whole_group=self.definition.stop.kill_as_group)

    def _signal(self, signum: int, *, whole_group: bool) -> None:
        system = self._host.system
        try:
            if whole_group:
                system.kill_group(self.pid, signum)
            else:
                system.kill(self.pid, signum)
        except ProcessLookupError:
            pass
        except PermissionError:
            log.error("%s: not permitted to send signal %d to pid %d", self.name, signum, self.pid)

    def _report_unkillable(self) -> None:
        log.error("%s: pid %d is still there %.0f s after SIGKILL", self.name, self.pid, lifecycle.KILL_GRACE)

    # The end of a child

    def _notice_exit(self) -> bool:
        """Whether the child has ended; if so, everything that follows from it is set going."""
        if not self._record.alive:
            return False
        if self._exit is not None:
            return True
        try:
            info = self._host.system.peek_exit(self.pid)
        except ChildProcessError:
            # Somebody else in this process reaped it: the status is lost, the fact is not.
            self._exit = Exit()
        else:
            if info is None:
                return False
            self._exit = Exit(info.code, info.signal)
        self._host.reaper.noticed(self.pid)
        if self._stdin is not None:
            self._stdin.close()
            self._stdin = None
        self._deliver_output()
        return True

    def _deliver_output(self) -> None:
        streams = [self.stdout] if self.stderr is None else [self.stdout, self.stderr]
        self._draining = len(streams)
        for stream in streams:
            stream.drain(self._delivered, limit=DRAIN_LIMIT)

    def _delivered(self) -> None:
        self._draining -= 1
        if self._draining == 0:
            self._end_leftovers()

    def _end_leftovers(self) -> None:
        stop = self.definition.stop
        if not stop.kill_as_group:
            self._finish()
            return
        deadline = self._record.deadline if self.state is State.STOPPING else None
        if deadline is None or self._record.killed:
            deadline = self._host.system.monotonic() + (0.0 if self._record.killed else stop.wait)
        host = self._host
        self._leftovers = Leftovers(self.name, self.pid, host.system, host.loop, host.group_scans)
        self._leftovers.end(deadline, self._finish)

    def _finish(self) -> None:
        assert self._exit is not None
        self._leftovers = None
        self._host.reaper.reap(self.pid)
        self._apply(lifecycle.Exited(self._exit))


_spawning: set[asyncio.Task[None]] = set()
"""Spawns that wait for plugins; the loop itself holds tasks only weakly."""
