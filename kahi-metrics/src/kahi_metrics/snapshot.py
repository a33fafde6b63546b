"""What the daemon knows at one moment, as plain values that another thread may work on."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kahi.lifecycle import State
from kahi.plugins import PluginContext
from kahi.process import Process
from kahi.version import __version__


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """One process. ``stderr_bytes`` is None when its stderr goes where its stdout goes."""

    name: str
    group: str
    state: int
    pid: int
    starts: int
    expected_exits: int
    unexpected_exits: int
    uptime: float
    health: str
    stdout_bytes: int
    stderr_bytes: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is told of the daemon itself and its processes.

    Args:
        processes: those of the configuration, and those that left it not long ago.
        states: how many of the former are in each state.
        drops: events that pools of listeners lost, by pool.
        errors: what plugins raised, by plugin.
    """

    processes: tuple[ProcessSample, ...]
    states: Mapping[str, int]
    uptime: float
    reloads: int
    refused_reloads: int
    drops: Mapping[str, int]
    errors: Mapping[str, int]
    info: Mapping[str, str]


def take(ctx: PluginContext, departed: Iterable[Process]) -> Snapshot:
    """Read all counters; on the event loop, some 3 ms for a thousand processes."""
    supervisor = ctx.supervisor
    present = supervisor.processes
    states = dict.fromkeys((state.name for state in State), 0)
    samples: list[ProcessSample] = []
    for process in present.values():
        states[process.state.name] += 1
        samples.append(_sample(process))
    samples += [_sample(process) for process in departed if process.name not in present]
    listeners = supervisor.listeners
    return Snapshot(
        processes=tuple(samples),
        states=states,
        uptime=supervisor.uptime,
        reloads=supervisor.reloads,
        refused_reloads=supervisor.refused_reloads,
        drops={} if listeners is None else {name: pool.drops for name, pool in listeners.pools.items()},
        errors={plugin.name: plugin.errors for plugin in ctx.plugins.list()},
        info={
            "version": __version__,
            "python_version": platform.python_version(),
            "fips": "true" if _needs_fips(ctx) else "false",
        },
    )


def _needs_fips(ctx: PluginContext) -> bool:
    told = ctx.plugins.version_details(ctx.config).get("fips", {})
    return told.get("mode") == "required"


def _sample(process: Process) -> ProcessSample:
    return ProcessSample(
        name=process.name,
        group=process.group,
        state=int(process.state),
        pid=process.pid,
        starts=process.starts,
        expected_exits=process.exits - process.unexpected_exits,
        unexpected_exits=process.unexpected_exits,
        uptime=process.uptime,
        health=process.health,
        stdout_bytes=process.stdout.total_bytes,
        stderr_bytes=None if process.stderr is None else process.stderr.total_bytes,
    )
