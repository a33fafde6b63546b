"""Queues, counts and orders, with a clock that a test moves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping

import anyio
import anyio.lowlevel
import pytest

from kahi.events import EventBus
from kahi_webhooks.circuit import PROBE_INTERVAL
from kahi_webhooks.dispatcher import Dispatcher
from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.sender import QUEUE_LENGTH, Sender
from kahi_webhooks.settings import WebhookSettings
from tests.webhooks.samples import ORIGIN, state

SETTINGS = WebhookSettings.model_validate({"url": "https://hooks.example.org/SECRET"})


def with_(**keys: object) -> WebhookSettings:
    return WebhookSettings.model_validate({"url": "https://hooks.example.org/SECRET", **keys})


class FakeCourier:
    """Answers what ``answer`` says; remembers names of processes and when they were told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posted: list[tuple[float, str]] = []
        self.ids: list[str] = []
        self.answer: Callable[[], int] = lambda: 200
        self.hold: anyio.Event | None = None

    async def get_ready(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def post(self, settings: WebhookSettings, body: bytes, headers: Mapping[str, str]) -> int:
        self.posted.append((self.world.now, json.loads(body)["payload"]["name"]))
        self.ids.append(headers["X-Kahi-Delivery"])
        if self.hold is not None:
            await self.hold.wait()
        return self.answer()


class World:
    """A sender, its receiver, and the clock of both."""

    def __init__(self, settings: WebhookSettings = SETTINGS) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.courier = FakeCourier(self)
        self.bus = EventBus(lambda: self.now)
        self.sender = Sender("ops", settings, ORIGIN, self.courier, clock=lambda: self.now, pause=self._pause)
        self.bus.subscribe(self.sender.offer)

    async def _pause(self, seconds: float, until: anyio.Event) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()

    def tell(self, *names: str) -> None:
        for name in names:
            self.bus.publish(state(name, "FATAL", "BACKOFF"))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.courier.posted]

    @property
    def results(self) -> tuple[int, int, int]:
        """Successes, failures, drops."""
        found = self.sender.results
        return found["success"], found["failure"], found["dropped"]


def play(world: World, story: Callable[[], Awaitable[None]] | None = None) -> None:
    """Run the sender while ``story`` happens, and then to its end."""

    async def scene() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.sender.run)
            await anyio.wait_all_tasks_blocked()
            if story is not None:
                await story()
            world.sender.close()
            with anyio.fail_after(10):
                await world.sender.ended.wait()
            world.sender.abandon()

    anyio.run(scene)


def failing(reason: str = "no", **more: object) -> Callable[[], int]:
    def answer() -> int:
        raise AttemptFailed(reason, **more)  # type: ignore[arg-type]

    return answer


def test_in_order_and_counted() -> None:
    world = World()
    world.tell("a", "b", "c")
    play(world)
    assert world.names == ["a", "b", "c"]
    assert world.results == (3, 0, 0)


def test_what_happens_before_the_service_runs_waits() -> None:
    world = World()
    world.tell("a")
    assert world.names == []
    play(world)
    assert world.names == ["a"]


def test_only_what_is_wanted() -> None:
    world = World(with_(processes=["web*", "jobs:*"]))
    world.tell("web-1", "db", "web-2")
    world.bus.publish(state("x", "FATAL", "BACKOFF"))
    play(world)
    assert world.names == ["web-1", "web-2"]


def test_a_full_queue_drops_the_oldest_and_counts_them(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.tell(*(f"p{number}" for number in range(QUEUE_LENGTH + 7)))
    play(world)
    assert world.results == (QUEUE_LENGTH, 0, 7)
    assert world.names[0] == "p7"
    assert world.names[-1] == f"p{QUEUE_LENGTH + 6}"
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [
        "webhook ops: more than 256 notices wait, the oldest are dropped",
        "webhook ops: 7 notices were dropped",
    ]


def test_retries_keep_the_delivery_its_id() -> None:
    world = World()
    answers = [failing(), failing(), lambda: 200]
    world.courier.answer = lambda: answers.pop(0)()

    async def story() -> None:
        world.tell("a")
        await anyio.wait_all_tasks_blocked()

    play(world, story)
    assert world.results == (1, 0, 0)
    assert [round(seconds) for seconds in world.pauses] == [1, 2]
    assert len(set(world.courier.ids)) == 1


def test_given_up_after_the_retries(caplog: pytest.LogCaptureFixture) -> None:
    world = World(with_(retries=2))
    world.courier.answer = failing("https://hooks.example.org answered 500")

    async def story() -> None:
        world.tell("a")
        await anyio.wait_all_tasks_blocked()

    play(world, story)
    assert world.results == (0, 1, 0)
    assert len(world.courier.posted) == 3
    assert (
        "webhook ops: PROCESS_STATE_FATAL of a not delivered (attempts: 3): "
        "https://hooks.example.org answered 500"
    ) in caplog.text
    assert "SECRET" not in caplog.text


def test_what_is_of_no_use_is_not_repeated() -> None:
    world = World()
    world.courier.answer = failing("answered 404", temporary=False)

    async def story() -> None:
        world.tell("a", "b")
        await anyio.wait_all_tasks_blocked()

    play(world, story)
    assert world.results == (0, 2, 0)
    assert world.pauses == []


def test_retry_after_is_respected() -> None:
    world = World(with_(retries=1))
    answers = [failing(retry_after=120.0), lambda: 200]
    world.courier.answer = lambda: answers.pop(0)()

    async def story() -> None:
        world.tell("a")
        await anyio.wait_all_tasks_blocked()

    play(world, story)
    assert world.pauses == [120.0]
    assert world.results == (1, 0, 0)


def test_five_failures_open_the_circuit_and_a_probe_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(with_(retries=0))
    world.courier.answer = failing("down")

    async def story() -> None:
        world.tell("a", "b", "c", "d", "e")
        await anyio.wait_all_tasks_blocked()
        assert world.sender.circuit.is_open
        assert world.now == 0
        world.tell("f")
        await anyio.wait_all_tasks_blocked()
        assert world.now == PROBE_INTERVAL
        assert world.sender.circuit.is_open
        world.courier.answer = lambda: 200
        world.tell("g", "h")
        await anyio.wait_all_tasks_blocked()
        assert world.now == 2 * PROBE_INTERVAL
        assert not world.sender.circuit.is_open

    play(world, story)
    assert world.names == ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert world.results == (2, 6, 0)
    assert "5 attempts in a row failed, from now on there is one every 300 s: down" in caplog.text
    assert caplog.text.count("in a row") == 1
    assert "webhook ops: works again" in caplog.text


def test_the_end_does_not_wait_for_an_open_circuit(caplog: pytest.LogCaptureFixture) -> None:
    world = World(with_(retries=0))
    world.courier.answer = failing("down")
    world.tell("a", "b", "c", "d", "e", "f", "g")

    async def scene() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.sender.run)
            await anyio.lowlevel.checkpoint()
            world.sender.close()
            await world.sender.ended.wait()
            world.sender.abandon()

    anyio.run(scene)
    assert world.results == (0, 5, 2)
    assert world.now == 0
    assert "ends with 2 notices that were not delivered" in caplog.text


def test_another_url_is_tried_at_once() -> None:
    world = World(with_(retries=0))
    world.courier.answer = failing("down")

    async def wait_until_told(seconds: float, until: anyio.Event) -> None:
        world.pauses.append(seconds)
        await until.wait()

    world.sender._wait = wait_until_told

    async def story() -> None:
        world.tell("a", "b", "c", "d", "e", "f")
        await anyio.wait_all_tasks_blocked()
        assert world.names == ["a", "b", "c", "d", "e"]
        world.courier.answer = lambda: 200
        world.sender.reconfigure(with_(url="https://other.example.org/x"))
        await anyio.wait_all_tasks_blocked()
        assert world.names[-1] == "f"
        assert not world.sender.circuit.is_open

    play(world, story)
    assert world.results == (1, 5, 0)


def test_abandoning_counts_what_is_under_way() -> None:
    world = World()

    async def scene() -> None:
        world.courier.hold = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.sender.run)
            world.tell("a", "b", "c")
            await anyio.wait_all_tasks_blocked()
            world.sender.abandon()
            await world.sender.ended.wait()

    anyio.run(scene)
    assert world.results == (0, 0, 3)


# All webhooks together


def dispatch(story: Callable[[Dispatcher, World], Awaitable[None]]) -> World:
    world = World()

    async def scene() -> None:
        dispatcher = Dispatcher(world.bus, ORIGIN, world.courier)
        await story(dispatcher, world)

    anyio.run(scene)
    return world


def test_webhooks_come_change_and_go() -> None:
    async def story(dispatcher: Dispatcher, world: World) -> None:
        dispatcher.apply({"a": with_(events=["process_state_fatal"]), "b": SETTINGS})
        async with dispatcher.running():
            world.tell("one")
            await anyio.wait_all_tasks_blocked()
            assert world.names == ["one", "one"]
            dispatcher.apply({"a": with_(events=["process_state_running"]), "c": SETTINGS})
            world.tell("two")
            await anyio.wait_all_tasks_blocked()
            assert world.names == ["one", "one", "two"]
            assert {each.name: each.results["success"] for each in dispatcher} == {"a": 1, "c": 1}
            dispatcher.apply({})
            world.tell("three")
            await anyio.wait_all_tasks_blocked()
        assert len(world.names) == 3

    dispatch(story)


def test_a_cancelled_service_delivers_what_waits() -> None:
    async def story(dispatcher: Dispatcher, world: World) -> None:
        dispatcher.apply({"a": SETTINGS})
        hold = world.courier.hold = anyio.Event()
        with anyio.CancelScope() as scope:
            async with dispatcher.running():
                world.tell("one", "two")
                await anyio.wait_all_tasks_blocked()
                world.courier.hold = None
                hold.set()
                scope.cancel()
                await anyio.sleep_forever()
        assert world.names == ["one", "two"]
        assert next(iter(dispatcher)).results["success"] == 2

    dispatch(story)


def test_a_service_that_is_started_again_goes_on() -> None:
    async def story(dispatcher: Dispatcher, world: World) -> None:
        dispatcher.apply({"a": SETTINGS})
        for name in ("one", "two"):
            async with dispatcher.running():
                world.tell(name)
                await anyio.wait_all_tasks_blocked()
        assert world.names == ["one", "two"]

    dispatch(story)


def test_a_service_that_is_cut_off_while_it_ends_leaves_nothing_behind() -> None:
    async def story(dispatcher: Dispatcher, world: World) -> None:
        dispatcher.apply({"a": SETTINGS})
        world.courier.hold = anyio.Event()
        entered, leave = asyncio.Event(), asyncio.Event()

        async def service() -> None:
            async with dispatcher.running():
                entered.set()
                await leave.wait()

        task = asyncio.create_task(service())
        await entered.wait()
        world.tell("one", "two")
        await anyio.wait_all_tasks_blocked()
        leave.set()
        await anyio.wait_all_tasks_blocked()
        assert not task.done()
        task.cancel()
        with anyio.fail_after(5), pytest.raises(asyncio.CancelledError):
            await task
        assert next(iter(dispatcher)).results["dropped"] == 2

    dispatch(story)
