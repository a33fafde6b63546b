"""Processes, dependencies and shutdown on a fake system, driven by any sequence of events."""

from __future__ import annotations

import errno

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kahi.definition import Backoff, ProcessDefinition, SpawnSpec, StartPolicy, StopPolicy
from kahi.errors import ProcessError
from kahi.lifecycle import SETTLED, State
from kahi.process import Process
from tests.core.fakes import FakeClockLoop, FakeSystem, supervise

NAMES = ("db", "web", "job")

starts = st.builds(
    StartPolicy,
    startsecs=st.sampled_from([0.0, 1.0, 3.0]),
    startretries=st.integers(-1, 2),
    autorestart=st.sampled_from(["always", "never", "unexpected"]),
    oneshot=st.booleans(),
    restart_delay=st.sampled_from([0.0, 2.0]),
    backoff=st.just(Backoff(initial=0.5)),
)
stops = st.builds(
    StopPolicy, wait=st.sampled_from([0.0, 4.0]), as_group=st.booleans(), kill_as_group=st.booleans()
)
ERRORS = st.sampled_from([errno.ENOENT, errno.EACCES, errno.EAGAIN, errno.ENOMEM])


class AnySupervision(RuleBasedStateMachine):
    """An operator, children, the kernel and the clock do what they like."""

    @initialize(
        policies=st.tuples(starts, starts, starts),
        stop_policies=st.tuples(stops, stops, stops),
        pidfds=st.booleans(),
        condition=st.sampled_from(["running", "exited"]),
    )
    def begin(
        self,
        policies: tuple[StartPolicy, ...],
        stop_policies: tuple[StopPolicy, ...],
        pidfds: bool,
        condition: str,
    ) -> None:
        self.loop = FakeClockLoop()
        self.system = FakeSystem(self.loop)
        self.system.with_pidfds = pidfds
        needs = {"web": (("db", condition),), "job": (("web", "running"),)}
        self.supervisor = supervise(
            self.loop,
            self.system,
            [
                ProcessDefinition(
                    name=name,
                    program=name,
                    group=name,
                    spawn=SpawnSpec(command=("/bin/prog", name), stdin="null"),
                    start=start,
                    stop=stop,
                    depends_on=needs.get(name, ()),  # type: ignore[arg-type]
                )
                for name, start, stop in zip(NAMES, policies, stop_policies, strict=True)
            ],
        )
        self.loop.finish(self.supervisor.autostart(list(self.supervisor.processes.values())))
        self.loop.settle()

    def exits_noticed(self) -> None:
        """What SIGCHLD would do, where there are no pidfds."""
        self.supervisor._host.reaper._tell_ended()
        self.loop.settle()

    def processes(self) -> list[Process]:
        return list(self.supervisor.processes.values())

    @rule(name=st.sampled_from(NAMES))
    def start(self, name: str) -> None:
        self.supervisor.background.run(self.supervisor.start([self.supervisor.process(name)], wait=False))
        self.loop.settle()

    @rule(name=st.sampled_from(NAMES))
    def stop(self, name: str) -> None:
        self.supervisor.background.run(self.supervisor.stop([self.supervisor.process(name)], wait=False))
        self.loop.settle()

    @rule()
    def restart_all(self) -> None:
        self.supervisor.background.run(self.supervisor.restart(self.processes(), wait=False))
        self.loop.settle()

    @rule(name=st.sampled_from(NAMES))
    def direct_start_or_stop(self, name: str) -> None:
        process = self.supervisor.process(name)
        before = process.state
        try:
            process.stop()
        except ProcessError:
            assert process.state is before
        self.loop.settle()

    @rule(name=st.sampled_from(NAMES))
    def one_does_not_do_its_work(self, name: str) -> None:
        self.supervisor.recovery.restart(self.supervisor.process(name), "it does not do its work")
        self.loop.settle()

    @rule(choice=st.integers(0, 5), code=st.sampled_from([0, 1]))
    def a_child_ends(self, choice: int, code: int) -> None:
        living = self.system.living()
        if living:
            self.system.end(living[choice % len(living)].pid, code)
            self.loop.settle()
            self.exits_noticed()

    @rule()
    def all_children_end(self) -> None:
        for child in self.system.living():
            self.system.end(child.pid, None, 9)
        self.loop.settle()
        self.exits_noticed()

    @rule(choice=st.integers(0, 5))
    def a_child_forks(self, choice: int) -> None:
        leaders = [child for child in self.system.living() if child.leader]
        if leaders:
            self.system.fork(leader=False, group=leaders[choice % len(leaders)].pid)

    @rule(error=ERRORS)
    def the_next_spawn_fails(self, error: int) -> None:
        self.system.spawn_errors = [error]

    @rule(stubborn=st.booleans())
    def sigterm_is_ignored_or_not(self, stubborn: bool) -> None:
        self.system.stubborn = stubborn

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        self.exits_noticed()

    @precondition(lambda self: hasattr(self, "supervisor"))
    @invariant()
    def every_child_has_one_owner(self) -> None:
        leaders = {child.pid for child in self.system.children.values() if child.leader}
        owners = [process.pid for process in self.processes() if process.record.alive]
        assert len(owners) == len(set(owners))
        assert leaders == set(owners), "a child without an owner, or an owner without a child"

    @precondition(lambda self: hasattr(self, "supervisor"))
    @invariant()
    def every_deadline_has_a_timer_and_every_timer_a_deadline(self) -> None:
        for process in self.processes():
            assert (process.record.deadline is None) == (process._timer is None)

    @precondition(lambda self: hasattr(self, "supervisor"))
    @invariant()
    def nothing_is_left_of_a_settled_process(self) -> None:
        for process in self.processes():
            if process.state in SETTLED:
                assert process.pid == 0
                assert process._leader is None
            if process.state is State.RUNNING:
                assert process.pid in self.system.children

    @precondition(lambda self: hasattr(self, "supervisor"))
    @invariant()
    def no_grandchild_is_forgotten(self) -> None:
        for child in self.system.living():
            if child.group not in self.system.children:
                name = self.system.names[child.group]
                assert not self.supervisor.process(name).definition.stop.kill_as_group

    def teardown(self) -> None:
        if not hasattr(self, "supervisor"):
            return
        self.supervisor.ending.request("the test is over")
        self.loop.call_later(0.01, self._kernel)
        self.loop.finish(self.supervisor.ending.stop_everything())
        self.loop.settle()
        assert self.supervisor.ending.exit_code == 0
        assert [child for child in self.system.children.values() if child.leader] == []
        assert {process.state for process in self.processes()} <= SETTLED
        assert all(process.record.deadline is None for process in self.processes())
        for child in self.system.living():
            self.system.end(child.pid, 0)
        self.supervisor._host.reaper.close()
        self.loop.settle()
        self.loop.close()

    def _kernel(self) -> None:
        """SIGCHLD during the end, again and again."""
        self.supervisor._host.reaper._tell_ended()
        self.loop.call_later(0.05, self._kernel)


AnySupervision.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnySupervision = pytest.mark.fault("P8", "P12")(AnySupervision.TestCase)
