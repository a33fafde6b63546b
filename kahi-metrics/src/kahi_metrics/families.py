"""The metrics of Kahi: names, labels and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from kahi.lifecycle import State
from kahi.usage import Usage
from kahi_metrics.snapshot import Snapshot

HEALTH: Final[Mapping[str, float]] = {"healthy": 1.0, "starting": 0.5, "unhealthy": 0.0}
"""Values of ``kahi_process_health``; a process without checks has none."""

STATES: Final = ", ".join(f"{int(state)} {state.name}" for state in State)

NOTHING: Final = Usage()


def families(snapshot: Snapshot, usage: Mapping[str, Usage]) -> Iterator[Metric]:
    """All metrics of Kahi itself; on any thread.

    Args:
        usage: what process trees use, by the name of the process.
    """
    yield from _lives(snapshot)
    yield from _resources(snapshot, usage)
    yield from _supervisor(snapshot)


def _lives(snapshot: Snapshot) -> Iterator[Metric]:
    state = _gauge("kahi_process_state", f"State of a process: {STATES}.", "name", "group")
    starts = _counter("kahi_process_start", "Times a process was spawned.", "name")
    exits = _counter("kahi_process_exit", "Times a process ended, as expected or not.", "name", "expected")
    uptime = _gauge(
        "kahi_process_uptime_seconds", "Seconds since a process was spawned, 0 when it is down.", "name"
    )
    health = _gauge(
        "kahi_process_health", "1 healthy, 0.5 starting, 0 unhealthy; of processes with checks.", "name"
    )
    for process in snapshot.processes:
        name = process.name
        state.add_metric([name, process.group], process.state)
        starts.add_metric([name], process.starts)
        exits.add_metric([name, "true"], process.expected_exits)
        exits.add_metric([name, "false"], process.unexpected_exits)
        uptime.add_metric([name], process.uptime)
        if process.health in HEALTH:
            health.add_metric([name], HEALTH[process.health])
    yield from (state, starts, exits, uptime, health)


def _resources(snapshot: Snapshot, usage: Mapping[str, Usage]) -> Iterator[Metric]:
    memory = _gauge(
        "kahi_process_resident_memory_bytes", "Resident memory of a process and its descendants.", "name"
    )
    cpu = _counter(
        "kahi_process_cpu_seconds", "CPU time of a process and its descendants since it was spawned.", "name"
    )
    output = _counter("kahi_process_log_bytes", "Bytes that a process printed.", "name", "stream")
    for process in snapshot.processes:
        name = process.name
        used = usage.get(name, NOTHING)
        memory.add_metric([name], used.memory)
        cpu.add_metric([name], used.cpu_seconds)
        output.add_metric([name, "stdout"], process.stdout_bytes)
        if process.stderr_bytes is not None:
            output.add_metric([name, "stderr"], process.stderr_bytes)
    yield from (memory, cpu, output)


def _supervisor(snapshot: Snapshot) -> Iterator[Metric]:
    uptime = _gauge("kahi_supervisor_uptime_seconds", "Seconds since the daemon was started.")
    uptime.add_metric([], snapshot.uptime)
    processes = _gauge("kahi_supervisor_processes", "Processes in each state.", "state")
    for state, count in snapshot.states.items():
        processes.add_metric([state], count)
    reloads = _counter("kahi_supervisor_config_reload", "Reloads of the configuration, applied or refused.")
    reloads.add_metric([], snapshot.reloads + snapshot.refused_reloads)
    refused = _counter(
        "kahi_supervisor_config_reload_errors", "Reloads that were refused because of the configuration."
    )
    refused.add_metric([], snapshot.refused_reloads)
    drops = _counter("kahi_event_buffer_drops", "Events that a pool of listeners lost.", "pool")
    for pool, count in snapshot.drops.items():
        drops.add_metric([pool], count)
    errors = _counter("kahi_plugin_errors", "Errors that a plugin raised.", "plugin")
    for plugin, count in snapshot.errors.items():
        errors.add_metric([plugin], count)
    yield from (uptime, processes, reloads, refused, drops, errors)
    yield InfoMetricFamily("kahi", "What runs here.", dict(snapshot.info))


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)


def _counter(name: str, meaning: str, *labels: str) -> CounterMetricFamily:
    """A counter; its samples are called ``name`` and ``_total``."""
    return CounterMetricFamily(name, meaning, labels=labels)
