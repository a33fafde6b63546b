"""Those that follow the processes of a supervisor: listener pools and health checks, made and connected."""

from __future__ import annotations

from kahi.health import Health
from kahi.listeners import Listeners
from kahi.plugins import PluginManager
from kahi.process import Host
from kahi.supervisor import Supervisor


def make_listeners(supervisor: Supervisor, host: Host) -> Listeners:
    """The pools of event listeners of a supervisor."""
    listeners = Listeners(
        supervisor.events,
        host.system,
        host.loop,
        identifier=supervisor.identifier,
        restart=supervisor.recovery.restart,
        settled=supervisor.recovery.settled,
    )
    watchers = supervisor.watchers
    watchers.added.append(listeners.process_added)
    watchers.changed.append(listeners.process_changed)
    watchers.redefined.append(listeners.process_redefined)
    watchers.removed.append(listeners.process_removed)
    supervisor.listeners = listeners
    return listeners


def make_health(supervisor: Supervisor, host: Host, plugins: PluginManager) -> Health:
    """The health checks of a supervisor's processes."""

    def count_error(kind: str, error: BaseException) -> None:
        name, _ = plugins.health_checks.get(kind, ("", None))
        plugins.count_error(name, f"health check {kind}", error)

    health = Health(
        host,
        {kind: found for kind, (_, found) in plugins.health_checks.items()},
        restart=supervisor.recovery.restart,
        settled=supervisor.recovery.settled,
        changed=supervisor.health_changed,
        count_error=count_error,
    )
    host.environment_for = health.environment_for
    watchers = supervisor.watchers
    watchers.added.append(health.process_added)
    watchers.changed.append(health.process_changed)
    watchers.redefined.append(health.process_redefined)
    watchers.removed.append(health.process_removed)
    return health
