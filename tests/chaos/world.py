"""A real daemon and everything around it, to which the actions of a chaos run are done."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from kahi_api.client import ApiError, Client, ClientError
from tests.api.raw import connect
from tests.chaos import plugin
from tests.chaos.curves import Sample, sample
from tests.chaos.disk import small_disk
from tests.chaos.observation import TAG, Seen, send, tagged, wake
from tests.chaos.readers import BOUND, EventReader, LogReader, Prober, StalledReader
from tests.chaos.sequence import Action, Kind
from tests.chaos.shape import BROKEN, Places, Shape, configuration
from tests.e2e.test_api_tcp import PASSWORD, free_port
from tests.support import Daemon, eventually, install_plugin

MOST_STALLED = 12
EXPECTED = (400, 404, 409, 422)
"""What the API may answer to an operation: there may be no such process just now, it may run already."""

FOLLOWED = ("stubborn", "cramped_0", "shown")


class World:
    """The daemon, its surroundings, and those who watch it.

    Args:
        tag: value of the environment variable by which processes of this run are known.
    """

    def __init__(self, directory: Path, tag: str) -> None:
        self.tag = tag
        self.places = Places(directory, directory / "small", free_port())
        for each in (self.places.records, self.places.logs):
            each.mkdir()
        self.disk = small_disk(self.places.small_disk)
        self.shape = Shape()
        self.problems: list[str] = []
        """What went wrong while something was done."""
        self.stalled: list[StalledReader] = []
        self.samples: list[Sample] = []
        self.begin = time.monotonic()
        environ = install_plugin(directory, plugin.NAME, plugin.CODE) | {TAG: tag}
        self.daemon = Daemon(directory, configuration(self.shape, self.places), environ=environ)
        address = str(self.daemon.socket)
        self.events = EventReader(address)
        self.logs = [LogReader(address, name) for name in FOLLOWED]
        self.prober = Prober(address)

    @property
    def seconds(self) -> float:
        """How long it has been there."""
        return time.monotonic() - self.begin

    def processes(self) -> list[Seen]:
        """Those with this run's tag, the daemon apart."""
        return [each for each in tagged(self.tag) if each.pid != self.daemon.pid]

    def note_sample(self, *, at_peace: bool = False) -> None:
        """Look at the daemon's memory and descriptors."""
        with contextlib.suppress(OSError):
            children = len(self.processes())
            self.samples.append(sample(self.daemon.pid, self.seconds, children, at_peace=at_peace))

    def perform(self, action: Action) -> None:
        """Do it. That a process is not there, or runs already, is no problem."""
        self.shape = action.shape
        try:
            PERFORMERS[action.kind](self, action)
        except ApiError as error:
            if error.status not in EXPECTED:
                self.problems.append(f"{action}: the API answered {error.status} {error}")
        except (ClientError, OSError) as error:
            self.problems.append(f"{action}: {type(error).__name__}: {error}")

    def settle(self) -> None:
        """Undo what was done to the daemon's surroundings, and have it stop everything."""
        self.disk.free(self.daemon.pid)
        while self.stalled:
            self.problems += self.stalled.pop().release()
        wake(self.processes())
        self._write(configuration(self.shape, self.places))
        with Client(str(self.daemon.socket), timeout=3 * BOUND) as client:
            client.update()
            # A group that was removed by request comes back by request.
            for name in {"pair", "steady"} - {group.name for group in client.groups()}:
                client.add_group(name)
            wake(self.processes())
            client.act("stop", ["all"])

    def clean(self) -> None:
        """Empty all logs and records, while nothing runs."""
        with self.daemon.client() as client:
            client.act("clear", ["all"])
        for name in os.listdir(self.places.records):
            if name not in self.shape.processes:
                for path in self.places.logs.glob(f"{name}.log*"):
                    path.unlink()
        shutil.rmtree(self.places.records)
        self.places.records.mkdir()

    def start(self) -> None:
        """Have everything started, and wait for it."""
        with Client(str(self.daemon.socket), timeout=3 * BOUND) as client:
            client.act("start", ["all"])

    def end(self) -> int:
        """End the daemon in order; returns its exit code."""
        self.disk.free(self.daemon.pid)
        self.prober.end()
        code = self.daemon.terminate()
        for reader in (self.events, *self.logs):
            reader.end()
        return code

    def close(self) -> None:
        """Leave nothing behind, whatever the state."""
        self.daemon.end()
        for each in tagged(self.tag):
            send(each, 9)
        with contextlib.suppress(AssertionError):
            eventually(lambda: not tagged(self.tag), "all are gone", 5)
        self.disk.close()

    def _write(self, text: str) -> None:
        """Have a new configuration there in one step, as editors do."""
        fresh = self.daemon.config.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.daemon.config)

    def _reload(self, how: str) -> None:
        match how:
            case "signal":
                self.daemon.signal(1)
            case "update":
                with Client(str(self.daemon.socket), timeout=3 * BOUND) as client:
                    client.update()
            case _:
                self.daemon.ctl("reload")

    def signal_child(self, action: Action) -> None:
        chosen = [each for each in self.processes() if each.name == action.target]
        for each in chosen:
            send(each, action.number)

    def signal_daemon(self, action: Action) -> None:
        self.daemon.signal(action.number)

    def operate(self, action: Action) -> None:
        with self.daemon.client() as client:
            operations: dict[str, Callable[..., object]] = {
                "start": client.start,
                "stop": client.stop,
                "restart": client.restart,
            }
            operations[action.word](action.target, wait=False)

    def operate_group(self, action: Action) -> None:
        with self.daemon.client() as client:
            client.act(action.word, [f"{action.target}:*"], wait=False)

    def edit(self, action: Action) -> None:
        self._write(configuration(action.shape, self.places))
        wake(self.processes())
        self._reload(action.word)

    def break_configuration(self, action: Action) -> None:
        text = BROKEN[action.number]
        if text:
            self._write(text)
        else:
            self.daemon.config.unlink(missing_ok=True)
        self._reload(action.word)

    def hang_up(self, action: Action) -> None:
        for _ in range(action.number):
            self.daemon.signal(1)

    def flood(self, action: Action) -> None:
        with self.daemon.client() as client:
            client.signal(action.target, "USR1")

    def fill_disk(self, action: Action) -> None:
        self.disk.fill(self.daemon.pid)

    def free_disk(self, action: Action) -> None:
        self.disk.free(self.daemon.pid)

    def stall(self, action: Action) -> None:
        if len(self.stalled) < MOST_STALLED:
            self.stalled.append(StalledReader(self.daemon.socket, action.target))

    def release(self, action: Action) -> None:
        if self.stalled:
            self.problems += self.stalled.pop(0).release()

    def cut(self, action: Action) -> None:
        for reader in (self.events, *self.logs):
            reader.cut()

    def control(self, action: Action) -> None:
        done = self.daemon.ctl(*action.word.split())
        if done.returncode not in (0, 1, 3, 4) or "Traceback" in done.stderr:
            self.problems.append(f"{action}: {done.returncode} {done.stderr}")

    def feed(self, action: Action) -> None:
        with self.daemon.client() as client:
            client.send(action.target, b"x" * action.number)

    def browse(self, action: Action) -> None:
        address = f"http://127.0.0.1:{self.places.port}"
        with Client(address, username="ann", password=PASSWORD, timeout=BOUND) as client:
            client._session.request("GET", action.word)

    def nonsense(self, action: Action) -> None:
        dice = random.Random(action.number)
        with connect(self.daemon.socket) as connection, contextlib.suppress(OSError):
            connection.sendall(dice.choice(NONSENSE) + dice.randbytes(dice.choice((0, 10, 5000))))


NONSENSE = (
    b"",
    b"GET / HTTP/1.1\r\n",
    b"POST /api/v1/actions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{",
    b"GET /api/v1/processes/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01",
)
"""How what is no request begins."""

PERFORMERS: dict[Kind, Callable[[World, Action], None]] = {
    Kind.SIGNAL_CHILD: World.signal_child,
    Kind.SIGNAL_DAEMON: World.signal_daemon,
    Kind.OPERATE: World.operate,
    Kind.OPERATE_GROUP: World.operate_group,
    Kind.EDIT: World.edit,
    Kind.BREAK: World.break_configuration,
    Kind.HANG_UP: World.hang_up,
    Kind.FLOOD: World.flood,
    Kind.FILL_DISK: World.fill_disk,
    Kind.FREE_DISK: World.free_disk,
    Kind.STALL: World.stall,
    Kind.RELEASE: World.release,
    Kind.CUT: World.cut,
    Kind.CONTROL: World.control,
    Kind.FEED: World.feed,
    Kind.BROWSE: World.browse,
    Kind.NONSENSE: World.nonsense,
}
"""What does each kind of action, but peace, which is made by who looks at the invariants then."""
