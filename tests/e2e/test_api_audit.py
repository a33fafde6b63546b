"""Who changed what is recorded, once each, and no secret is told anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kahi_api.endpoint import Access
from kahi_api.hashers import Bcrypt
from kahi_api.routes import ENDPOINTS
from tests.api.raw import connect, exchange, get, post, request, send
from tests.e2e.test_api_tcp import CHEAP, PASSWORD, free_port, http_table, login
from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def records(running: Daemon) -> list[dict[str, str]]:
    """All audit records so far."""
    lines = [json.loads(line) for line in running.output.splitlines() if line.startswith("{")]
    return [line["audit"] for line in lines if line.get("logger") == "kahi.audit"]


def next_record(running: Daemon, known: int) -> dict[str, str]:
    """The one record that comes after those that are known."""
    found = eventually(lambda: records(running)[known:], "it is recorded")
    assert len(found) == 1
    return found[0]


def test_every_change_leaves_one_record(daemon: Start) -> None:
    port = free_port()
    running = daemon(
        f'[supervisor]\nlog_level = "error"\n[programs.web]\n{SLEEPER}\n[programs.off]\n{SLEEPER}\n'
        f"autostart = false\n{http_table(port)}"
    )
    running.wait_for("web", "RUNNING")
    me = f"uid {os.geteuid()} pid {os.getpid()}"
    place = running.socket
    base = "/api/v1"
    for method, target, body, what, on, result in (
        ("POST", "/processes/web/stop", None, "POST /api/v1/processes/{name}/stop", "web", "ok"),
        (
            "POST",
            "/processes/web/stop",
            None,
            "POST /api/v1/processes/{name}/stop",
            "web",
            "CONFLICT: web: not",
        ),
        ("POST", "/processes/web/start?wait=0", None, "POST /api/v1/processes/{name}/start", "web", "begun"),
        (
            "POST",
            "/processes/no/stop",
            None,
            "POST /api/v1/processes/{name}/stop",
            "no",
            "NOT_FOUND: no such",
        ),
        (
            *("POST", "/processes/web/signal", {"signal": "CONT"}),
            *("POST /api/v1/processes/{name}/signal SIGCONT", "web", "ok"),
        ),
        ("POST", "/processes/web/stdin", {"data": "x"}, "POST /api/v1/processes/{name}/stdin", "web", "ok"),
        ("POST", "/groups/off/start", None, "POST /api/v1/groups/{name}/start", "off", "ok"),
        ("POST", "/groups/off/stop", None, "POST /api/v1/groups/{name}/stop", "off", "ok"),
        ("DELETE", "/groups/off", None, "DELETE /api/v1/groups/{name}", "off", "ok"),
        ("POST", "/groups", {"name": "off"}, "POST /api/v1/groups", "off", "ok"),
        (
            *("POST", "/actions", {"action": "start", "targets": ["web", "off"]}),
            *("POST /api/v1/actions start", "web off", "1 failed: web: already started"),
        ),
        ("POST", "/actions", {"action": "explode"}, "POST /api/v1/actions", "", "BAD_REQUEST: action "),
        (
            "DELETE",
            "/processes/web/log/stdout",
            None,
            "DELETE /api/v1/processes/{name}/log/{stream}",
            "web std",
            "",
        ),
        ("POST", "/config/reload", None, "POST /api/v1/config/reload", "", "reloaded: nothing changed"),
        ("POST", "/logs/reopen", None, "POST /api/v1/logs/reopen", "", "ok"),
        ("POST", "/events", {"type": "hello"}, "POST /api/v1/events hello", "", "ok"),
    ):
        known = len(records(running))
        send(place, method, base + target, body)
        found = next_record(running, known)
        assert (found["who"], found["what"]) == (me, what)
        assert found["on"].startswith(on), found
        assert found["result"].startswith(result), found
    # Looking is no change.
    known = len(records(running))
    for target in ("/api/v1/processes", "/api/v1/config", "/healthz"):
        get(place, target)
    post(place, "/api/v1/config/reread")
    # Over TCP it is a user at an address; strangers change nothing.
    tcp = ("127.0.0.1", port)
    assert exchange(tcp, request("POST", f"{base}/processes/web/restart"))[0] == 401
    headers = ("Host: localhost", login())
    assert exchange(tcp, request("POST", f"{base}/processes/web/restart", headers=headers))[0] == 200
    assert next_record(running, known)["who"] == "ann (127.0.0.1)"
    for number, what, result in (
        (signal.SIGHUP, "SIGHUP", "reloaded: nothing changed"),
        (signal.SIGUSR2, "SIGUSR2", "logs reopened"),
    ):
        known = len(records(running))
        running.signal(number)
        assert next_record(running, known) == {"who": "signal", "what": what, "on": "", "result": result}
    known = len(records(running))
    post(place, f"{base}/shutdown")
    running.wait()
    assert [found["what"] for found in records(running)[known:]] == ["POST /api/v1/shutdown"]


def test_signals_that_end_the_daemon(daemon: Start) -> None:
    running = daemon('[supervisor]\nlog_level = "error"\n')
    running.terminate()
    assert records(running) == [{"who": "signal", "what": "SIGTERM", "on": "", "result": "shutdown"}]


@pytest.mark.fault("A9")
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_text_from_outside_forges_no_record(daemon: Start, log_format: str) -> None:
    running = daemon(f'[supervisor]\nlog_format = "{log_format}"\n')
    evil = "x\n2026-01-01T00:00:00.000Z info audit: uid 0: all is well\x1b[2J\u202e"
    post(running.socket, "/api/v1/actions", {"action": "stop", "targets": [evil, "y" * 5000]})
    running.says("all is well")
    running.says("NOT_FOUND")
    (line,) = [line for line in running.output.splitlines() if "all is well" in line]
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert len(line) < 3000


# Secrets

CANARIES = (
    "canary-env",
    "canary-super",
    "canary-url",
    "canary-guess",
    "canary-stdin",
    "canary-file",
    CHEAP,
    PASSWORD,
)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A daemon that knows many secrets, which have all been used."""
    directory = tmp_path_factory.mktemp("s")
    port = free_port()
    (directory / "env").write_text("FROM_FILE=canary-file\n")
    code = (
        "import os, sys; assert os.environ['TOKEN'].endswith('-env'); print('up')\nfor _ in sys.stdin: pass"
    )
    running = Daemon(
        directory,
        '[supervisor]\nlog_level = "debug"\n[supervisor.environment]\nSHARED = "canary-super"\n'
        f"[programs.web]\n{python(code)}\nstartsecs = 0\nenvironment_file = ['{directory}/env']\n"
        "[programs.web.environment]\nTOKEN = 'canary-env'\n"
        "[programs.fetch]\ncommand = ['true', 'https://user:canary-url@host/x']\nautostart = false\n"
        f"{http_table(port)}",
    )
    eventually(lambda: "up" in running.ctl("tail", "web").stdout, "it has its secrets")
    tcp = ("127.0.0.1", port)
    exchange(
        tcp, request("GET", "/api/v1/version", headers=("Host: localhost", login("ann", "canary-guess")))
    )
    exchange(tcp, request("GET", "/api/v1/version", headers=("Host: localhost", login("canary-guess", "x"))))
    exchange(tcp, request("GET", "/api/v1/version", headers=("Host: localhost", login())))
    post(running.socket, "/api/v1/processes/web/stdin", {"data": "canary-stdin\n"})
    post(running.socket, "/api/v1/processes/web/stdin", {"data": 5, "data_base64": "canary-stdin"})
    post(running.socket, "/api/v1/processes/fetch/start")
    post(running.socket, "/api/v1/processes/web/restart")
    running.config.write_text(
        running.config.read_text().replace("TOKEN = 'canary-env'", "TOKEN = ['canary-env']")
    )
    post(running.socket, "/api/v1/config/reload")
    running.signal(signal.SIGHUP)
    eventually(lambda: "reload refused" in running.output, "a broken configuration is told of")
    yield running
    running.end()


READING = [e for e in ENDPOINTS if e.method == "GET" and e.access in (Access.PUBLIC, Access.READ)]


@pytest.mark.fault("C7")
@pytest.mark.parametrize("endpoint", READING, ids=[endpoint.path for endpoint in READING])
def test_no_answer_tells_a_secret(seeded: Daemon, endpoint: Any) -> None:
    for name, stream in (("web", "stdout"), ("web", "stderr"), ("fetch", "stdout")):
        target = endpoint.path.replace("{name}", name).replace("{stream}", stream)
        with connect(seeded.socket) as connection:
            headers = ("Host: x", "Connection: close", "Last-Event-ID: 0")
            connection.sendall(request("GET", target, headers=headers))
            connection.settimeout(3 if target.endswith("/stream") else 20)
            data = b""
            try:
                while piece := connection.recv(65536):
                    data += piece
            except TimeoutError:
                assert target.endswith("/stream")
        assert b" 200 " in data[:20]
        assert [canary for canary in CANARIES if canary.encode() in data] == []


@pytest.mark.fault("C7")
def test_no_log_record_tells_a_secret(seeded: Daemon) -> None:
    found = [line for line in seeded.output.splitlines() for canary in CANARIES if canary in line]
    assert found == []


@pytest.mark.fault("C7")
def test_no_command_tells_a_secret(seeded: Daemon, kahi: Callable[..., Any], short_tmp: Path) -> None:
    good = short_tmp / "good.toml"
    good.write_text(seeded.config.read_text().replace("TOKEN = ['canary-env']", "TOKEN = 'canary-env'"))
    for done in (
        kahi("check", "-c", str(good), "--print"),
        kahi("check", "-c", str(seeded.config)),
        seeded.ctl("status"),
        seeded.ctl("events"),
        subprocess.run(
            ["ps", "-o", "args=", "-p", str(seeded.pid)], capture_output=True, text=True, check=False
        ),
    ):
        text = done.stdout + done.stderr
        assert text
        assert [canary for canary in CANARIES if canary in text] == []


def test_a_hash_is_no_password_and_no_answer(seeded: Daemon) -> None:
    assert Bcrypt().verify(PASSWORD.encode(), CHEAP)
    config = get(seeded.socket, "/api/v1/config")[1]
    assert set(config["server"]["http"]["password"]) == {"*"}
    assert config["server"]["http"]["username"] == "ann"
