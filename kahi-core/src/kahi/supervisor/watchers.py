"""Those around the supervisor that follow its processes: shared sockets, listener pools, health checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kahi.process import Process

Watcher = Callable[[Process], None]


@dataclass(slots=True)
class Watchers:
    """Whom to tell about a process, synchronously and in order.

    Args:
        added: it is there, not started.
        changed: its state has changed, after the event of that was published.
        redefined: it took over another definition.
        removed: it is down and leaves; its logs are still open.
    """

    added: list[Watcher] = field(default_factory=list[Watcher])
    changed: list[Watcher] = field(default_factory=list[Watcher])
    redefined: list[Watcher] = field(default_factory=list[Watcher])
    removed: list[Watcher] = field(default_factory=list[Watcher])
