"""Events and probes over the API."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kahi_api import limits
from tests.api.raw import connect, get, post, request
from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


class Reader:
    """What comes on a stream."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.text = ""

    def until(self, word: str, patience: float = 20.0) -> str:
        """All that came, once ``word`` is in it."""
        deadline = time.monotonic() + patience
        while word not in self.text:
            assert time.monotonic() < deadline, f"no {word!r} in {self.text!r}"
            data = self.connection.recv(65536)
            assert data, f"ended without {word!r}: {self.text!r}"
            self.text += data.decode()
        return self.text


@contextmanager
def stream(running: Daemon, target: str, *headers: str) -> Iterator[Reader]:
    """An open stream of server-sent events."""
    with connect(running.socket) as connection:
        connection.sendall(request("GET", target, headers=("Host: x", *headers)))
        reader = Reader(connection)
        reader.until(": stream\n\n")
        yield reader


def test_history_and_stream(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\nautostart = false\n")
    running.wait_for("a", "RUNNING")
    status, history = get(running.socket, "/api/v1/events")
    assert status == 200
    types = [event["type"] for event in history]
    assert types[:2] == ["PROCESS_GROUP_ADDED", "PROCESS_GROUP_ADDED"]
    assert "PROCESS_STATE_RUNNING" in types
    started = next(event for event in history if event["type"] == "PROCESS_STATE_RUNNING")
    assert (started["name"], started["group"], started["from_state"]) == ("a", "a", "STARTING")
    assert started["pid"] == running.process("a").pid
    assert get(running.socket, f"/api/v1/events?since={history[-2]['serial']}")[1] == history[-1:]
    assert get(running.socket, "/api/v1/events?limit=3")[1] == history[-3:]
    assert get(running.socket, "/api/v1/events?limit=none")[0] == 400
    with stream(running, "/api/v1/events/stream?types=process_state_running,process_state_stopped") as reader:
        head = reader.text.lower()
        assert "content-type: text/event-stream" in head
        assert "cache-control: no-cache" in head
        assert "x-accel-buffering: no" in head
        post(running.socket, "/api/v1/processes/b/start")
        post(running.socket, "/api/v1/processes/a/stop")
        text = reader.until("PROCESS_STATE_STOPPED")
        assert "event: PROCESS_STATE_RUNNING\n" in text
        assert "STARTING\n" not in text
        assert "STOPPING\n" not in text
    with stream(
        running, "/api/v1/events/stream?process=b", f"Last-Event-ID: {history[-1]['serial']}"
    ) as reader:
        text = reader.until("PROCESS_STATE_RUNNING")
        assert '"name": "a"' not in text
    with stream(running, "/api/v1/events/stream", "Last-Event-ID: 99999") as reader:
        reader.until("event: reset\n")


@pytest.mark.slow
def test_a_silent_stream_shows_that_it_lives(daemon: Start) -> None:
    running = daemon("")
    with stream(running, "/api/v1/events/stream") as reader:
        begin = time.monotonic()
        reader.until(": alive\n\n", limits.HEARTBEAT + 10)
        assert time.monotonic() - begin > limits.HEARTBEAT - 1


@pytest.mark.breaks("serials")
def test_ticks_come_only_to_who_names_them(daemon: Start) -> None:
    running = daemon("")
    with (
        stream(running, "/api/v1/events/stream?types=tick_5") as ticks,
        stream(running, "/api/v1/events/stream") as others,
    ):
        ticks.until("event: TICK_5\n")
        post(running.socket, "/api/v1/events", {"type": "hello"})
        assert "TICK" not in others.until("REMOTE_COMMUNICATION")


def test_readiness(daemon: Start, short_tmp: Path) -> None:
    gate = short_tmp / "gate"
    wait = f"import os, time\nwhile not os.path.exists('{gate}'): time.sleep(0.05)\n"
    running = daemon(
        f"[programs.web]\n{SLEEPER}\n[programs.spare]\n{SLEEPER}\nautostart = false\n"
        f"[programs.once]\n{python(wait)}\noneshot = true\nstartsecs = 3600\n"
    )
    running.wait_for("web", "RUNNING")
    assert get(running.socket, "/readyz") == (
        503,
        {"status": "not_ready", "pending": ["once"], "failing": []},
    )
    assert get(running.socket, "/readyz?process=web") == (200, {"status": "ready"})
    gate.touch()
    eventually(lambda: get(running.socket, "/readyz") == (200, {"status": "ready"}), "all is ready")
    assert get(running.socket, "/readyz?process=web,spare")[1]["pending"] == ["spare"]
    assert get(running.socket, "/readyz?process=web,none") == (
        400,
        {"error": "no such process: none", "code": "BAD_REQUEST"},
    )
    running.write_config(f"[programs.broken]\ncommand = '/nowhere/x'\n[programs.web]\n{SLEEPER}\n")
    post(running.socket, "/api/v1/config/reload")
    running.wait_for("broken", "FATAL")
    assert get(running.socket, "/readyz") == (
        503,
        {"status": "not_ready", "pending": [], "failing": ["broken"]},
    )


def test_probes_during_shutdown(daemon: Start, short_tmp: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(15, lambda *_: None); print('up')\nwhile True: time.sleep(1)"
    )
    running = daemon(f"[programs.a]\n{python(stubborn)}\nstartsecs = 0\n")
    eventually(lambda: "up" in running.ctl("tail", "a").stdout, "it ignores the signal")
    with connect(running.socket) as connection:
        running.signal(signal.SIGTERM)
        eventually(
            lambda: get(running.socket, "/healthz") == (503, {"status": "shutting_down"}), "it is told"
        )
        assert get(running.socket, "/readyz")[1] == {"status": "not_ready", "pending": ["a"], "failing": []}
        assert get(running.socket, "/api/v1/processes")[0] == 200
        for target in (
            "/api/v1/processes/a/start",
            "/api/v1/processes/a/stop",
            "/api/v1/groups/a/restart",
            "/api/v1/config/update",
            "/api/v1/shutdown",
        ):
            status, body = post(running.socket, target)
            assert (status, body["code"]) == (503, "SHUTTING_DOWN"), target
        connection.close()
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
