"""A real Prometheus scrapes a running daemon, and its answers are right."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.metrics.test_package_data import ALERTS, queries
from tests.support import Daemon, eventually
from tests.webhooks.receiver import Receiver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus"),
]

Start = Callable[..., Daemon]


class Prometheus:
    """A Prometheus that scrapes one daemon every half second."""

    def __init__(self, directory: Path, port: int, target: str, scrape: str = "") -> None:
        (directory / "alerts.yml").write_text(ALERTS, encoding="utf-8")
        (directory / "prometheus.yml").write_text(
            "global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }\n"
            "rule_files: [alerts.yml]\n"
            "scrape_configs:\n"
            f"  - job_name: kahi\n    static_configs: [{{ targets: ['{target}'] }}]\n{scrape}",
            encoding="utf-8",
        )
        self.url = f"http://127.0.0.1:{port}"
        with (directory / "prometheus.log").open("wb") as log:
            self._popen = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        eventually(self._is_ready, "Prometheus is ready", patience=60)

    def _is_ready(self) -> bool:
        assert self._popen.poll() is None, "Prometheus ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
            return True
        return False

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=20) as response:
            answer = json.load(response)
        assert answer["status"] == "success"
        return answer["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of what an expression gives."""
        try:
            found = self.get("query", query=expression)["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        return [(each["metric"], float(each["value"][1])) for each in found]

    def value(self, expression: str) -> float | None:
        """The one value of an expression, None when there is none yet."""
        found = self.query(expression)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def until(self, expression: str, value: float) -> None:
        """Wait until an expression has a value."""
        eventually(lambda: self.value(expression) == value, f"{expression} is {value}", patience=60)

    def close(self) -> None:
        self._popen.terminate()
        self._popen.wait(30)


@pytest.fixture
def ports(free_port: int) -> tuple[int, int]:
    """Ports for the daemon and for Prometheus."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return free_port, int(probe.getsockname()[1])


@pytest.fixture
def scraped(daemon: Start, kahi: Any, tmp_path: Path, ports: tuple[int, int]) -> Iterator[Any]:
    """Starts a daemon and a Prometheus that scrapes it: ``scraped(toml)``."""
    hashed = kahi("hash-password", "--rounds", "4", input="secret\n").stdout.strip()
    running: list[Prometheus] = []

    def start(toml: str, scrape: str = "") -> tuple[Daemon, Prometheus]:
        http = (
            f'\n[server.http]\nenabled = true\nlisten = "127.0.0.1:{ports[0]}"\n'
            f"username = \"me\"\npassword = '{hashed}'\n"
        )
        started = daemon(toml + http)
        running.append(Prometheus(tmp_path, ports[1], f"127.0.0.1:{ports[0]}", scrape))
        return started, running[0]

    yield start
    for each in running:
        each.close()


def test_states_and_counters_as_prometheus_sees_them(scraped: Any) -> None:
    receiver = Receiver()
    try:
        daemon, prometheus = scraped(
            "[programs.web]\ncommand = \"sh -c 'echo 12345; exec sleep 1000'\"\nstartsecs = 0\n"
            '[programs.bad]\ncommand = "/no/such"\n'
            f'[webhooks.ops]\nurl = "{receiver.url}"\nevents = ["process_state_fatal"]\n'
        )
        prometheus.until('up{job="kahi"}', 1)
        prometheus.until('kahi_process_state{name="web",group="web"}', 20)
        prometheus.until('kahi_process_state{name="bad",group="bad"}', 200)
        prometheus.until('kahi_supervisor_processes{state="RUNNING"}', 1)
        prometheus.until('kahi_process_start_total{name="web"}', 1)
        prometheus.until('kahi_process_log_bytes_total{name="web",stream="stdout"}', 6)
        prometheus.until('kahi_webhook_deliveries_total{webhook="ops",result="success"}', 1)
        daemon.ctl("restart", "web")
        prometheus.until('kahi_process_start_total{name="web"}', 2)
        prometheus.until('kahi_process_exit_total{name="web",expected="true"}', 1)
        eventually(lambda: daemon.process("web").uptime >= 1)
        os.kill(daemon.process("web").pid, signal.SIGKILL)
        prometheus.until('kahi_process_start_total{name="web"}', 3)
        prometheus.until('kahi_process_exit_total{name="web",expected="false"}', 1)
        memory = prometheus.value('kahi_process_resident_memory_bytes{name="web"}')
        assert memory is not None
        assert memory > 100_000

        # The type of each metric is what the text says: Prometheus parsed it.
        types = prometheus.get("metadata")
        assert types["kahi_process_start"][0]["type"] == "counter"
        assert types["kahi_process_state"][0]["type"] == "gauge"

        # Rules work on what is scraped.
        def alerts() -> set[tuple[str, str]]:
            found = prometheus.get("alerts")["alerts"]
            return {(each["labels"]["alertname"], each["labels"].get("name", "")) for each in found}

        eventually(lambda: ("KahiProcessFatal", "bad") in alerts())
        assert not {name for name, _ in alerts()} & {"KahiDown", "KahiPluginErrors", "KahiWebhookOpen"}

        # So does every query of the dashboard.
        empty = [query for query in queries() if not prometheus.query(query)]
        for query in empty:
            # Nobody has checks or listeners here.
            assert "kahi_process_health" in query or "kahi_event_buffer_drops" in query, query
    finally:
        receiver.close()


def test_with_a_password(scraped: Any) -> None:
    _, prometheus = scraped(
        '[programs.web]\ncommand = "sleep 1000"\nstartsecs = 0\n[metrics]\nrequire_auth = true\n',
        "    basic_auth: { username: me, password: secret }\n",
    )
    prometheus.until('up{job="kahi"}', 1)
    prometheus.until('kahi_process_state{name="web",group="web"}', 20)


def test_without_the_password_that_is_asked_for(scraped: Any) -> None:
    _, prometheus = scraped('[programs.web]\ncommand = "sleep 1000"\n[metrics]\nrequire_auth = true\n')
    prometheus.until('up{job="kahi"}', 0)
    [target] = prometheus.get("targets")["activeTargets"]
    eventually(lambda: "401" in prometheus.get("targets")["activeTargets"][0]["lastError"])
    assert target["labels"]["job"] == "kahi"
