"""One scrape: counters are read on the event loop, everything else is done on a thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from kahi.boundary import PLUGIN_ERRORS
from kahi.plugins import PluginContext
from kahi_metrics.departed import Departed
from kahi_metrics.garbage import no_collection
from kahi_metrics.snapshot import take

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

    from kahi_metrics.rendering import Renderer


class Scraper:
    """Answers scrapes, one after the other. Belongs to the event-loop thread."""

    def __init__(self, ctx: PluginContext, departed: Departed) -> None:
        self._ctx = ctx
        self._departed = departed
        self._lock = anyio.Lock()
        self._renderer: Renderer | None = None
        self._collectors: list[tuple[str, Collector]] = []

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """All metrics as they are now.

        Args:
            accept: the Accept header, which chooses the format.

        Returns:
            The text, and its content type.
        """
        async with self._lock:
            if self._renderer is None:
                # The library takes a tenth of a second to import, so nobody waits for it at the start.
                self._renderer = await anyio.to_thread.run_sync(load_renderer)
                self._collectors = [
                    (name, collector)
                    for name, collectors in self._ctx.plugins.call("kahi_metrics_collectors", ctx=self._ctx)
                    for collector in collectors
                ]
            snapshot = take(self._ctx, self._departed)
            others = tuple(self._of_plugins())
            return await anyio.to_thread.run_sync(self._renderer.render, snapshot, others, accept)

    def _of_plugins(self) -> Iterator[Metric]:
        for name, collector in self._collectors:
            try:
                yield from tuple(collector.collect())
            except PLUGIN_ERRORS as error:
                self._ctx.plugins.count_error(name, "a metrics collector", error)


def load_renderer() -> Renderer:
    """Import everything that is needed to answer."""
    with no_collection():
        from kahi_metrics.rendering import Renderer

        return Renderer()
