"""From values to the text that Prometheus reads. Imported, and used, by a thread."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from kahi.system import System
from kahi.usage import Usage, usage_of_trees
from kahi_metrics.families import families
from kahi_metrics.garbage import no_collection
from kahi_metrics.snapshot import ProcessSample, Snapshot

log = logging.getLogger(__name__)

ENDINGS: Final[Mapping[str, Sequence[str]]] = {
    "counter": ("total", "created"),
    "info": ("info",),
    "summary": ("count", "sum", "created"),
    "histogram": ("bucket", "count", "sum", "created"),
}
"""What the names of samples end with, beyond that of their family."""


class Renderer:
    """Makes the answers to scrapes; to be used by one thread at a time."""

    def __init__(self) -> None:
        self._system = System()
        self._daemon = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._daemon)
        PlatformCollector(registry=self._daemon)
        self._cpu: dict[str, tuple[int, float]] = {}
        self._refused: set[str] = set()

    def render(self, snapshot: Snapshot, others: Iterable[Metric], accept: str) -> tuple[bytes, str]:
        """The text of an answer in the format that ``accept`` asks for, and its content type.

        Args:
            others: metrics of plugins.
        """
        encode, content_type = choose_encoder(accept)
        with no_collection():
            return encode(_Families(self._all(snapshot, others))), content_type

    def _all(self, snapshot: Snapshot, others: Iterable[Metric]) -> Iterator[Metric]:
        """Each name once: a second one would make the whole answer unreadable."""
        taken: set[str] = set()
        own = (*families(snapshot, self._usage(snapshot.processes)), *self._daemon.collect())
        for family in (*own, *others):
            names = _names_of(family)
            if taken.isdisjoint(names):
                taken |= names
                yield family
            elif family.name not in self._refused:
                self._refused.add(family.name)
                log.error("a metric %s is there already, the second one is left out", family.name)

    def _usage(self, processes: Sequence[ProcessSample]) -> Mapping[str, Usage]:
        """What the trees of processes use, by name."""
        pids = {process.pid: process.name for process in processes if process.pid}
        found = usage_of_trees(self._system.process_table() if pids else (), tuple(pids))
        usage: dict[str, Usage] = {}
        cpu: dict[str, tuple[int, float]] = {}
        for pid, used in found.items():
            name = pids[pid]
            # What a descendant used is lost when nobody of the tree waits for it; a counter must not
            # fall because of that.
            before, most = self._cpu.get(name, (0, 0.0))
            seconds = max(used.cpu_seconds, most) if before == pid else used.cpu_seconds
            cpu[name] = (pid, seconds)
            usage[name] = replace(used, cpu_seconds=seconds)
        self._cpu = cpu
        return usage


def _names_of(family: Metric) -> frozenset[str]:
    """All names that the samples of a family may have."""
    return frozenset((family.name, *(f"{family.name}_{end}" for end in ENDINGS.get(family.type, ()))))


class _Families(Collector):
    """Metrics that are there already, as an encoder wants them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
