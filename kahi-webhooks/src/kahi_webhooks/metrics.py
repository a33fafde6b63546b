"""Metrics of webhooks; imported only by request of the plugin that collects them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kahi_webhooks.dispatcher import Dispatcher


class WebhooksCollector(Collector):
    """Reads the counters of all webhooks."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def collect(self) -> Iterator[Metric]:
        """One series for each webhook and result, and one for each circuit."""
        deliveries = CounterMetricFamily(
            "kahi_webhook_deliveries",
            "Notices that were delivered, given up, or dropped.",
            labels=["webhook", "result"],
        )
        circuits = GaugeMetricFamily(
            "kahi_webhook_circuit_breaker",
            "1 while a webhook is left alone because it failed too often, else 0.",
            labels=["webhook"],
        )
        for sender in self._dispatcher:
            for result, count in sender.results.items():
                deliveries.add_metric([sender.name, result], count)
            circuits.add_metric([sender.name], int(sender.circuit.is_open))
        yield deliveries
        yield circuits
