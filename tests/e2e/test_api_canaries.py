"""Nothing secret comes out anywhere: secrets are put everywhere, and looked for in every answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from kahi_api.routes import ENDPOINTS
from tests.support import Daemon, eventually

CANARY = "canary-6b1f"
HASH = "$2b$04$daevg5og8unOiPFWy49mQO3FrAApS/rsJeNAkTC0GpDhc58tolTgu"

TOML = f"""
[supervisor]
log_level = "debug"
[supervisor.environment]
SHARED = "{CANARY}-shared"
[programs.web]
command = "sleep 3600"
startsecs = 0
environment_file = ["%(here)s/variables"]
environment = {{ TOKEN = "{CANARY}-token" }}
[programs.flaky]
command = "false"
startretries = 1
environment = {{ TOKEN = "{CANARY}-flaky" }}
[programs.broken]
command = "/no/such/program"
environment = {{ TOKEN = "{CANARY}-broken" }}
[webhooks.chat]
url = "http://someone:{CANARY}-url@127.0.0.1:1024/hook/{CANARY}-path"
secret = "{CANARY}-secret"
headers = {{ Authorization = "Bearer {CANARY}-header" }}
timeout = 1
retries = 0
"""

PAGES = (
    "/",
    "/overview.json",
    "/process/web",
    "/process/broken",
    "/events",
    "/config",
    "/plugins",
    "/metrics",
)


def http(port: int) -> str:
    return (
        f'[server.http]\nenabled = true\nlisten = "127.0.0.1:{port}"\nusername = "operator"\n'
        f"password = '{HASH}'\n"
    )


def readable() -> Iterator[str]:
    """The path of every route that can be looked at, filled in, without streams."""
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and not endpoint.path.endswith(("/stream", "/attach")):
            yield endpoint.path.format(name="web", stream="stdout")
    yield from PAGES


def fetch(running: Daemon, method: str, path: str, body: str | None = None) -> str:
    connection = HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(20)
    connection.sock.connect(str(running.socket))
    try:
        connection.request(method, quote(path), body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return f"{answer.getheaders()} {answer.read().decode('utf-8', 'replace')}"
    finally:
        connection.close()


@pytest.mark.fault("C7")
def test_no_secret_in_any_answer_log_or_event(
    daemon: Callable[..., Daemon], kahi: Callable[..., object], short_tmp: Path
) -> None:
    (short_tmp / "variables").write_text(f"FROM_FILE={CANARY}-file\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = daemon(TOML + http(port))
    running.wait_for("flaky", "FATAL")
    assert CANARY in Path(f"/proc/{running.process('web').pid}/environ").read_text(), "the secrets are in use"

    changes = {
        "/api/v1/actions": {"action": "restart", "targets": ["all"]},
        "/api/v1/config/reread": {},
        "/api/v1/config/reload": {},
        "/api/v1/processes/broken/start": {},
        "/api/v1/processes/web/signal": {"signal": "CONT"},
    }
    answers = [fetch(running, "POST", path, json.dumps(body)) for path, body in changes.items()]
    paths = list(readable())
    assert len(paths) > 15
    answers += [fetch(running, "GET", path) for path in paths]
    eventually(lambda: "webhook chat" in running.output, "the webhook that fails is named in the log")
    for path, answer in zip([*changes, *paths], answers, strict=True):
        assert CANARY not in answer, path
        assert HASH not in answer, path

    # A mistake beside a secret is told without it.
    running.write_config(TOML.replace("startsecs = 0", "startsecs = -1") + http(port))
    assert CANARY not in fetch(running, "POST", "/api/v1/config/reload", "{}")
    printed = kahi("check", "-c", str(running.config), "--print")
    assert CANARY not in f"{printed}"
    running.write_config(TOML + http(port))
    printed = kahi("check", "-c", str(running.config), "--print")
    assert '"TOKEN": "********"' in printed.stdout  # type: ignore[attr-defined]
    assert CANARY not in f"{printed}"
    assert running.terminate() == 0
    assert CANARY not in running.output
    assert HASH not in running.output
