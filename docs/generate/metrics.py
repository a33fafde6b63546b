"""Every metric, from the table that the scrapes are made of."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

from prometheus_client.core import Metric

from docs.generate.markdown import code, table
from kahi_metrics.families import families
from kahi_metrics.snapshot import ProcessSample, Snapshot
from kahi_webhooks.metrics import WebhooksCollector

HEAD: Final = """\
# Metrics

Generated from the families that `GET /metrics` serves. [Metrics](../how-to/metrics.md) shows how to get
them into Prometheus and Grafana. Beside them stand the `process_*` and `python_info` metrics of the daemon
itself, and those of plugins.
"""


def page() -> str:
    """The page."""
    return "\n".join([HEAD, *table(("metric", "type", "labels", "what it tells"), _rows())])


def _rows() -> Iterator[tuple[str, ...]]:
    for family in (*families(_snapshot(), {}), *WebhooksCollector(_webhooks()).collect()):
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = ", ".join(code(label) for label in _labels(family))
        yield code(name), family.type, labels, family.documentation


def _labels(family: Metric) -> list[str]:
    """The labels of a family, from its first sample."""
    return list(family.samples[0].labels) if family.samples else []


def _webhooks() -> Any:
    """What stands for a daemon's webhooks, of which there is one."""
    circuit = SimpleNamespace(is_open=False)
    return [SimpleNamespace(name="chat", results={"success": 0}, circuit=circuit)]


def _snapshot() -> Snapshot:
    """A daemon with one of everything, so that each family has a sample."""
    process = ProcessSample(
        name="web",
        group="web",
        state=20,
        pid=1,
        starts=1,
        expected_exits=0,
        unexpected_exits=0,
        uptime=1.0,
        health="healthy",
        stdout_bytes=0,
        stderr_bytes=0,
    )
    return Snapshot(
        processes=(process,),
        states={"RUNNING": 1},
        uptime=1.0,
        reloads=0,
        refused_reloads=0,
        drops={"mail": 0},
        errors={"notify": 0},
        info={"version": "", "python_version": "", "fips": ""},
    )
