"""Compose: a service for each workload."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, Final

from kahi.definition import UNLIMITED, HealthSettings
from kahi_migrate.export.check import tcp_target
from kahi_migrate.export.container import (
    MEMORY_LIMITS,
    environment_of,
    image_of,
    memory_of,
    runnable,
    say_what_is_lost,
)
from kahi_migrate.export.document import documents, without_unset
from kahi_migrate.export.naming import safe_names, seconds
from kahi_migrate.export.text import Text, variables, write
from kahi_migrate.export.workload import Workload, Workloads
from kahi_migrate.target import Output, TargetFormat

_CONDITIONS: Final[Mapping[str, str]] = {
    "running": "service_started",
    "healthy": "service_healthy",
    "exited": "service_completed_successfully",
}


def write_services(workloads: Workloads) -> list[Output]:
    """One file with all services."""
    members = runnable(workloads)
    names = safe_names((workload.name for workload in members), r"[^a-zA-Z0-9._-]+", 100)
    services = {names[workload.name]: _service(workloads, workload, names) for workload in members}
    for workload in members:
        _wait_for_what_can_come(workloads, workload, services[names[workload.name]], services)
    project = safe_names([workloads.name.lower()], r"[^a-z0-9_-]+", 100)[workloads.name.lower()]
    return [Output("compose.yaml", documents([{"name": project, "services": services}]))]


def _service(workloads: Workloads, workload: Workload, names: Mapping[str, str]) -> dict[str, Any]:
    definition = workload.definition
    spawn = definition.spawn
    say_what_is_lost(workloads, workload, "umask", "nice")
    service: dict[str, Any] = {
        "image": image_of(workloads, workload),
        "entrypoint": [_text(word) for word in workload.argv],
        "environment": _environment(workloads, workload),
        "env_file": [_file(name) for name in workload.environment_files],
        "working_dir": _text(workload.directory) or None,
        "user": spawn.user or None,
        "restart": _restart(workload),
        "deploy": {"replicas": workload.replicas} if workload.replicas > 1 else None,
        "depends_on": {
            names[name]: {"condition": _CONDITIONS[state]}
            for name, state in workload.depends_on
            if name in names
        },
        "stop_signal": signal.Signals(definition.stop.signal).name,
        "stop_grace_period": f"{seconds(definition.stop.wait)}s",
        "healthcheck": None if definition.health is None else _check(workloads, workload, definition.health),
        "ulimits": {
            limit.name: {"soft": _limit(limit.soft), "hard": _limit(limit.hard)}
            for limit in spawn.rlimits
            if limit.name not in MEMORY_LIMITS
        },
        "mem_limit": memory_of(workload) or None,
        "oom_score_adj": spawn.oom_score_adj,
        "security_opt": ["no-new-privileges:true"] if spawn.no_new_privs else None,
        "profiles": None if definition.autostart else ["manual"],
    }
    if definition.stop.signal == signal.SIGTERM:
        del service["stop_signal"]
    return without_unset(service)


def _wait_for_what_can_come(
    workloads: Workloads, workload: Workload, service: dict[str, Any], services: Mapping[str, dict[str, Any]]
) -> None:
    """compose refuses to wait for the health of a service without a check."""
    for name, needed in service.get("depends_on", {}).items():
        if needed["condition"] == _CONDITIONS["healthy"] and "healthcheck" not in services[name]:
            needed["condition"] = _CONDITIONS["running"]
            workloads.warn(
                workload, "depends_on", f"waits for the start of {name} only, whose check was left out"
            )


def _environment(workloads: Workloads, workload: Workload) -> dict[str, str]:
    found: dict[str, str] = {}
    environment = environment_of(workloads, workload)
    for key, text in environment.items():
        if text is None:
            workloads.warn(
                workload, "", f"the value of {key} is not written out: set it where compose is run"
            )
        found[key] = f"${{{key}:?}}" if text is None else _text(text)
    texts = [*workload.argv, workload.directory, *(text for text in environment.values() if text)]
    for name in variables(texts):
        workloads.note(workload, "", f"refers to the variable {name}: set it where compose is run")
    return found


def _file(name: str) -> str | dict[str, str | bool]:
    """A file of variables; with a minus sign before it, it may be missing."""
    return {"path": name[1:], "required": False} if name.startswith("-") else name


def _restart(workload: Workload) -> str:
    start = workload.definition.start
    if start.oneshot:
        retries = start.startretries
        return "on-failure" if retries < 0 else f"on-failure:{retries}" if retries else "no"
    return {"always": "always", "never": "no", "unexpected": "on-failure"}[start.autorestart]


def _check(workloads: Workloads, workload: Workload, health: HealthSettings) -> dict[str, Any] | None:
    if health.on_failure != "none":
        workloads.warn(
            workload, "health.on_failure", "compose shows that a service is unhealthy, and does nothing"
        )
    match health.kind:
        case "http":
            test = ["CMD", "curl", "--fail", "--silent", "--show-error", health.target.replace("$", "$$")]
            workloads.warn(workload, "health.http", "is asked with curl, which the image has to have")
            if health.expect:
                workloads.warn(workload, "health.expect", "the check looks at the status only")
        case "tcp":
            target = tcp_target(health.target)
            test = ["CMD", "nc", "-z", target.host or "127.0.0.1", str(target.port)]
            workloads.warn(workload, "health.tcp", "is asked with nc, which the image has to have")
        case "exec":
            test = ["CMD", *(word.replace("$", "$$") for word in health.target)]
        case _:
            workloads.warn(workload, "health", f"left out: a check can not be of kind {health.kind}")
            return None
    return without_unset(
        {
            "test": test,
            "interval": f"{seconds(health.interval)}s",
            "timeout": f"{seconds(health.timeout)}s",
            "retries": health.retries,
            "start_period": f"{health.start_period:g}s" if health.start_period else None,
        }
    )


def _limit(value: int) -> int:
    return -1 if value == UNLIMITED else value


def _text(text: Text) -> str:
    return write(text, lambda part: part.replace("$", "$$"), lambda name: f"${{{name}:?}}")


COMPOSE = TargetFormat("compose", "a Compose file", write_services)
