"""What the daemon tells a service manager by sd_notify, through the real program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.test_reaping import switches
from tests.support import PATIENCE, Daemon, eventually, python, steadily

Start = Callable[..., Daemon]
SLEEPER = '[programs.{}]\ncommand = "sleep 3600"\nstartsecs = 0\n'


class Manager:
    """Stands in for systemd: a datagram socket, and what was said to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(0.02)
        self.heard: list[dict[str, str]] = []

    @property
    def environ(self) -> dict[str, str]:
        """What it puts into the environment."""
        return {"NOTIFY_SOCKET": self.address}

    def listen(self) -> list[dict[str, str]]:
        """All messages so far, each as its lines by name."""
        try:
            while True:
                message = self.socket.recv(4096).decode()
                self.heard.append(dict(line.split("=", 1) for line in message.split("\n")))
        except TimeoutError:
            return self.heard

    def hears(self, name: str, value: str = "", count: int = 1) -> dict[str, str]:
        """The ``count``-th message whose ``name`` begins with ``value``, once it is there."""

        def found() -> dict[str, str] | None:
            matching = [m for m in self.listen() if m.get(name, "\0").startswith(value)]
            return matching[count - 1] if len(matching) >= count else None

        message = eventually(found, f"{name}={value} is said, heard: {self.heard}")
        assert message is not None
        return message

    def count(self, name: str) -> int:
        """How many messages have a line called ``name``."""
        return sum(name in message for message in self.listen())


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[Manager]:
    """A service manager that listens on a socket with a path, or on an abstract one."""
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    address = f"@kahi-test-{uuid.uuid4()}" if request.param == "abstract" else str(short_tmp / "notify")
    made = Manager(address)
    yield made
    made.socket.close()


@pytest.fixture
def listening(short_tmp: Path) -> Iterator[Manager]:
    """A service manager that listens on a socket with a path."""
    made = Manager(str(short_tmp / "notify"))
    yield made
    made.socket.close()


def test_start_reload_and_end(daemon: Start, manager: Manager) -> None:
    running = daemon(SLEEPER.format("web"), wait=False, environ=manager.environ)
    assert manager.hears("READY", "1")["STATUS"] == "1 process: 1 RUNNING"
    # Children were started by then, and the API is there at once.
    assert running.process("web").pid

    running.write_config(SLEEPER.format("web") + SLEEPER.format("second"))
    before = time.monotonic_ns() // 1000
    running.signal(signal.SIGHUP)
    reloading = manager.hears("RELOADING", "1")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.hears("READY", "1", 2)["STATUS"].startswith("2 processes: ")

    running.signal(signal.SIGTERM)
    stopping = manager.hears("STOPPING", "1")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 30_000_000
    assert running.wait() == 0
    said = [
        next(iter(message)) for message in manager.listen() if "STATUS" not in message or len(message) > 1
    ]
    assert said == ["READY", "RELOADING", "READY", "STOPPING"]


def test_refused_reload_is_ready_again(daemon: Start, listening: Manager) -> None:
    running = daemon(SLEEPER.format("web"), environ=listening.environ)
    listening.hears("READY")
    running.write_config("[programs.web]\ncommand = 7\n")
    running.signal(signal.SIGHUP)
    listening.hears("RELOADING")
    status = listening.hears("READY", "1", 2)["STATUS"]
    assert status.startswith("reload refused: ")
    assert "command" in status


def test_reload_by_api_is_told(daemon: Start, listening: Manager) -> None:
    running = daemon(SLEEPER.format("web"), environ=listening.environ)
    listening.hears("READY")
    assert running.ctl("update").returncode == 0
    listening.hears("RELOADING")
    listening.hears("READY", "1", 2)


def test_status_follows_processes(daemon: Start, listening: Manager) -> None:
    broken = '[programs.broken]\ncommand = "/no/such/program"\nautostart = false\n'
    running = daemon(SLEEPER.format("web") + broken, environ=listening.environ)
    assert listening.hears("READY")["STATUS"] == "2 processes: 1 STOPPED, 1 RUNNING"
    running.ctl("start", "broken")
    listening.hears("STATUS", "2 processes: 1 RUNNING, 1 FATAL")


def test_start_that_fails_says_why(daemon: Start, listening: Manager) -> None:
    running = daemon("[programs.web]\ncommand = 7\n", wait=False, environ=listening.environ)
    assert running.wait() == 1
    assert "command" in listening.hears("STATUS")["STATUS"]
    assert not listening.count("READY")


def test_watchdog_is_fed_while_the_loop_turns(daemon: Start, listening: Manager) -> None:
    environ = listening.environ | {"WATCHDOG_USEC": "400000"}
    running = daemon(SLEEPER.format("web"), environ=environ)
    listening.hears("WATCHDOG", "1", 4)
    running.signal(signal.SIGSTOP)
    status = Path(f"/proc/{running.pid}/status")
    eventually(lambda: "State:\tT" in status.read_text(), "it has stopped")
    count = listening.count("WATCHDOG")
    steadily(lambda: listening.count("WATCHDOG") == count, "a daemon that hangs feeds no watchdog", 0.6)
    running.signal(signal.SIGCONT)
    listening.hears("WATCHDOG", "1", count + 2)


@pytest.mark.parametrize("variables", [{}, {"WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"}])
def test_no_watchdog_unless_asked_for(daemon: Start, listening: Manager, variables: dict[str, str]) -> None:
    daemon(SLEEPER.format("web"), environ=listening.environ | variables)
    listening.hears("READY")
    steadily(lambda: not listening.count("WATCHDOG"), "no watchdog is fed")


def test_idle_daemon_stays_idle_without_a_watchdog(daemon: Start, listening: Manager) -> None:
    running = daemon(SLEEPER.format("web"), environ=listening.environ)
    listening.hears("READY")
    time.sleep(1.5)
    before = switches(running.pid)
    time.sleep(1.5)
    assert switches(running.pid) == before


def test_children_are_not_told(daemon: Start, listening: Manager, short_tmp: Path) -> None:
    show = "import os; print('SEEN', *[name for name in os.environ if name[:6] in ('NOTIFY', 'WATCHD')])"
    toml = f'[programs.web]\n{python(show)}\nstdout_logfile = "{short_tmp}/log"\nstartsecs = 0\n'
    daemon(toml, environ=listening.environ | {"WATCHDOG_USEC": "60000000"})
    printed = short_tmp / "log"
    eventually(lambda: printed.exists() and "SEEN" in printed.read_text())
    assert set(printed.read_text().split("\n")) == {"SEEN", ""}


def test_processes_have_a_socket_of_their_own(daemon: Start, listening: Manager, short_tmp: Path) -> None:
    show = "import os, time; print('SEEN', os.environ['NOTIFY_SOCKET']); time.sleep(3600)"
    toml = (
        f'[programs.web]\n{python(show)}\nstdout_logfile = "{short_tmp}/log"\nhealth = {{ notify = true }}\n'
    )
    daemon(toml, environ=listening.environ)
    printed = short_tmp / "log"
    eventually(lambda: printed.exists() and "SEEN" in printed.read_text())
    assert listening.address not in printed.read_text()


def test_nobody_at_the_other_end_hurts_nothing(daemon: Start, short_tmp: Path) -> None:
    running = daemon(SLEEPER.format("web"), environ={"NOTIFY_SOCKET": str(short_tmp / "nobody")})
    running.says("is not told how the daemon fares")
    running.signal(signal.SIGHUP)
    running.says("reloaded")
    assert running.output.count("is not told") == 1
    assert running.terminate() == 0


def test_address_that_can_not_be(daemon: Start) -> None:
    running = daemon(SLEEPER.format("web"), environ={"NOTIFY_SOCKET": "vsock:2:1234"})
    running.says("NOTIFY_SOCKET is neither a path nor an abstract socket: vsock:2:1234")


@pytest.mark.skipif(sys.platform != "linux", reason="queues of datagrams are short on Linux alone")
def test_manager_that_is_busy_gets_it_later(daemon: Start, listening: Manager) -> None:
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.setblocking(False)
    sent = 0
    try:
        while True:
            filler.sendto(b"FILLER=1", listening.address)
            sent += 1
    except BlockingIOError:
        filler.close()
    running = daemon(SLEEPER.format("web"), environ=listening.environ)
    assert running.process("web").pid  # It is up, and does not wait for anybody to listen.
    listening.hears("READY")
    assert listening.count("FILLER") == sent


def test_background_daemon_tells_as_well(listening: Manager, short_tmp: Path) -> None:
    pidfile = short_tmp / "pid"
    config = short_tmp / "kahi.toml"
    config.write_text(f'[server.unix]\nfile = "{short_tmp}/k.sock"\n', encoding="utf-8")
    environ = {**os.environ, **listening.environ, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"}
    subprocess.run(
        [sys.executable, "-m", "kahi", "daemon", "-c", str(config), "-d", "-p", str(pidfile)],
        env=environ,
        check=True,
        timeout=PATIENCE,
    )
    try:
        assert listening.hears("READY")["STATUS"] == "0 processes"
    finally:
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
    listening.hears("STOPPING")
