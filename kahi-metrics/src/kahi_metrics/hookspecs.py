"""Hooks that metrics add for other plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from kahi.hookspecs import PROJECT

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from kahi.plugins import PluginContext

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def kahi_metrics_collectors(ctx: PluginContext) -> Sequence[Collector]:  # type: ignore[empty-body]
    """Give collectors, whose metrics are served with those of Kahi.

    A collector has a method `collect` that yields the metric families of `prometheus_client`. It is
    called at each scrape, in the event loop: it reads counters that the plugin keeps, and no more. A
    family whose name is taken already is left out. A plugin that also works without metrics says
    `@hookimpl(optionalhook=True)` and imports `prometheus_client` inside the hook.

    Called: once, in the event loop, at the first scrape.
    Exception: logged and counted; the plugin's metrics are not served. So are those of `collect`, for
        that scrape.
    Since: 0.1

    Example:
        class SentCollector:
            def collect(self):
                yield CounterMetricFamily("notify_sent", "Mails that were sent.", value=sent)

        @hookimpl(optionalhook=True)
        def kahi_metrics_collectors(ctx):
            return [SentCollector()]
    """
