"""What is known about plugins, for people and for programs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["active", "disabled", "failed"]
ServiceState = Literal["starting", "up", "waiting", "stopped", "stuck"]


@dataclass(slots=True)
class ServiceInfo:
    """How a service of a plugin is.

    Args:
        state: ``starting``, ``up``, ``waiting`` to be started again after it ended, ``stopped`` at
            shutdown, or ``stuck``: it did not end when it was told to, and was left behind.
        restarts: how often it ended by itself.
    """

    name: str
    state: ServiceState = "starting"
    restarts: int = 0


@dataclass(slots=True)
class PluginInfo:
    """What is known about one plugin.

    Args:
        reason: why it is disabled or failed; "" for an active one.
        requires: plugins that it can not do without.
        hooks: those it implements.
        commands: what it adds to `kahi`; known only to `kahi plugins`.
        tables: its tables and keys in the configuration.
        load_seconds: how long its import took.
        errors: how often it raised where it should not.
        stalls: how often it held the event loop for too long.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: Status = "active"
    reason: str = ""
    requires: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    load_seconds: float = 0.0
    errors: int = 0
    stalls: int = 0
    services: list[ServiceInfo] = field(default_factory=list[ServiceInfo])

    def as_object(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return dataclasses.asdict(self)
