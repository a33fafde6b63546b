"""Names, labels and formats, and the parts that a running daemon seldom shows."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from kahi.system import ProcessEntry
from kahi_metrics.families import families
from kahi_metrics.garbage import no_collection
from kahi_metrics.rendering import Renderer
from kahi_metrics.snapshot import ProcessSample, Snapshot
from tests.metrics.text import Scraped

SPECIFIED = {
    "kahi_process_state": {"name", "group"},
    "kahi_process_start_total": {"name"},
    "kahi_process_exit_total": {"name", "expected"},
    "kahi_process_uptime_seconds": {"name"},
    "kahi_process_resident_memory_bytes": {"name"},
    "kahi_process_cpu_seconds_total": {"name"},
    "kahi_process_log_bytes_total": {"name", "stream"},
    "kahi_process_health": {"name"},
    "kahi_supervisor_uptime_seconds": set[str](),
    "kahi_supervisor_processes": {"state"},
    "kahi_supervisor_config_reload_total": set[str](),
    "kahi_supervisor_config_reload_errors_total": set[str](),
    "kahi_event_buffer_drops_total": {"pool"},
    "kahi_plugin_errors_total": {"plugin"},
    "kahi_info": {"version", "python_version", "fips"},
}
"""The metrics of Kahi itself, as they are promised."""

OF_WEBHOOKS = {
    "kahi_webhook_deliveries_total": {"webhook", "result"},
    "kahi_webhook_circuit_breaker": {"webhook"},
}


def sample(name: str = "web", **keys: Any) -> ProcessSample:
    values: dict[str, Any] = {
        "group": "site",
        "state": 20,
        "pid": 100,
        "starts": 3,
        "expected_exits": 1,
        "unexpected_exits": 1,
        "uptime": 12.5,
        "health": "healthy",
        "stdout_bytes": 7,
        "stderr_bytes": 8,
    }
    return ProcessSample(name, **{**values, **keys})


def snapshot(*processes: ProcessSample) -> Snapshot:
    return Snapshot(
        processes,
        states={"RUNNING": 1, "FATAL": 0},
        uptime=60.5,
        reloads=4,
        refused_reloads=2,
        drops={"mail": 9},
        errors={"api": 0, "acme": 5},
        info={"version": "1.2.3", "python_version": "3.11.0", "fips": "false"},
    )


class FakeSystem:
    """A process table that a test writes."""

    def __init__(self) -> None:
        self.entries: list[ProcessEntry] = []

    def process_table(self) -> list[ProcessEntry]:
        return self.entries


def renderer(*entries: ProcessEntry) -> tuple[Renderer, FakeSystem]:
    made, system = Renderer(), FakeSystem()
    system.entries = list(entries)
    made._system = system  # type: ignore[assignment]
    return made, system


def scraped(made: Renderer, *processes: ProcessSample, others: Any = (), accept: str = "") -> Scraped:
    text, kind = made.render(snapshot(*processes), others, accept)
    assert kind.startswith("application/openmetrics-text" if "openmetrics" in accept else "text/plain")
    return Scraped(text.decode(), openmetrics="openmetrics" in accept)


@pytest.mark.parametrize("accept", ["", "text/plain", "*/*", "application/openmetrics-text; version=1.0.0"])
def test_names_and_labels_are_those_that_are_promised(accept: str) -> None:
    made, _ = renderer(ProcessEntry(100, 1, 100, False, 4096, 1.5))
    found = scraped(made, sample(), accept=accept)
    ours = {name: labels for name, labels in found.names.items() if name.startswith("kahi_")}
    assert ours == SPECIFIED
    assert found("process_resident_memory_bytes")
    assert any(name.startswith("python_info") for name in found.names)


def test_values() -> None:
    made, _ = renderer(
        ProcessEntry(100, 1, 100, False, 4096, 1.5), ProcessEntry(101, 100, 100, False, 8192, 2.0)
    )
    found = scraped(made, sample(), sample("old", pid=0, state=0, stderr_bytes=None, health="none"))
    assert found("kahi_process_state", name="web", group="site") == 20
    assert found("kahi_process_start_total", name="web") == 3
    assert found("kahi_process_exit_total", name="web", expected="true") == 1
    assert found("kahi_process_exit_total", name="web", expected="false") == 1
    assert found("kahi_process_uptime_seconds", name="web") == 12.5
    assert found("kahi_process_resident_memory_bytes", name="web") == 12288
    assert found("kahi_process_cpu_seconds_total", name="web") == 3.5
    assert found("kahi_process_resident_memory_bytes", name="old") == 0
    assert found("kahi_process_log_bytes_total", name="web", stream="stderr") == 8
    assert found("kahi_process_log_bytes_total", name="old", stream="stderr") is None
    assert found("kahi_process_health", name="web") == 1
    assert found("kahi_process_health", name="old") is None
    assert found("kahi_supervisor_uptime_seconds") == 60.5
    assert found("kahi_supervisor_processes", state="FATAL") == 0
    assert found("kahi_supervisor_config_reload_total") == 6
    assert found("kahi_supervisor_config_reload_errors_total") == 2
    assert found("kahi_event_buffer_drops_total", pool="mail") == 9
    assert found("kahi_plugin_errors_total", plugin="acme") == 5
    assert found("kahi_info", version="1.2.3", python_version="3.11.0", fips="false") == 1


@pytest.mark.parametrize(("health", "value"), [("healthy", 1), ("starting", 0.5), ("unhealthy", 0)])
def test_health(health: str, value: float) -> None:
    made, _ = renderer()
    assert scraped(made, sample(health=health))("kahi_process_health", name="web") == value


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_names_of_all_kinds_can_be_read_back(accept: str) -> None:
    made, _ = renderer()
    name = 'a"b\\c{}=é<b>'
    assert scraped(made, sample(name), accept=accept)("kahi_process_start_total", name=name) == 3


def test_a_cpu_counter_never_falls_while_a_process_lives() -> None:
    made, system = renderer(
        ProcessEntry(100, 1, 100, False, 1, 1.0), ProcessEntry(101, 100, 100, False, 1, 9.0)
    )
    assert scraped(made, sample())("kahi_process_cpu_seconds_total", name="web") == 10
    # The child is gone, and nobody waited for it.
    system.entries = [ProcessEntry(100, 1, 100, False, 1, 2.0)]
    assert scraped(made, sample())("kahi_process_cpu_seconds_total", name="web") == 10
    system.entries = [ProcessEntry(200, 1, 200, False, 1, 0.5)]
    assert scraped(made, sample(pid=200))("kahi_process_cpu_seconds_total", name="web") == 0.5


def test_a_second_metric_of_a_name_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    made, _ = renderer()
    others = [
        GaugeMetricFamily("kahi_process_state", "Mine.", value=1),
        CounterMetricFamily("acme_done", "Mine.", value=2),
    ]
    for _ in range(2):
        found = scraped(made, sample(), others=others)
        assert found("kahi_process_state") is None
        assert found("kahi_process_state", name="web", group="site") == 20
        assert found("acme_done_total") == 2
    assert caplog.text.count("a metric kahi_process_state is there already") == 1


def test_every_metric_says_what_it_is() -> None:
    for family in families(snapshot(sample()), {}):
        assert family.documentation.endswith(".")
        assert family.documentation[0].isupper() or family.documentation[0].isdigit()


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_collected_afterwards_as_it_was_before(before: bool) -> None:
    (gc.enable if before else gc.disable)()
    try:
        with no_collection():
            assert not gc.isenabled()
        assert gc.isenabled() is before
    finally:
        gc.enable()
