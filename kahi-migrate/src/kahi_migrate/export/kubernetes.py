"""Kubernetes: a Deployment for what runs, a Job for what ends."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Any

from kahi.definition import HealthSettings
from kahi_migrate.export.check import http_target, tcp_target
from kahi_migrate.export.container import (
    MEMORY_LIMITS,
    environment_of,
    image_of,
    memory_of,
    runnable,
    say_what_is_lost,
)
from kahi_migrate.export.document import documents, without_unset
from kahi_migrate.export.naming import safe_names
from kahi_migrate.export.text import Text, variables, write
from kahi_migrate.export.workload import Workload, Workloads
from kahi_migrate.target import Output, TargetFormat


def write_manifests(workloads: Workloads) -> list[Output]:
    """One file with a manifest for each workload."""
    members = runnable(workloads)
    names = _names(workload.name for workload in members)
    manifests = [_manifest(workloads, workload, names[workload.name]) for workload in members]
    return [Output(f"{_name(workloads.name)}.yaml", documents(manifests))]


def _manifest(workloads: Workloads, workload: Workload, name: str) -> dict[str, Any]:
    _say_what_is_lost(workloads, workload)
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": _name(workloads.name)}
    pod: dict[str, Any] = {
        "terminationGracePeriodSeconds": max(1, round(workload.definition.stop.wait)),
        "containers": [_container(workloads, workload, name)],
    }
    replicas = workload.replicas if workload.definition.autostart else 0
    if workload.ends_by_itself:
        pod["restartPolicy"] = "Never"
        spec: dict[str, Any] = {
            "backoffLimit": max(0, workload.definition.start.startretries),
            "completions": workload.replicas,
            "parallelism": workload.replicas,
            "suspend": True if not workload.definition.autostart else None,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        kind = {"apiVersion": "batch/v1", "kind": "Job"}
    else:
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    return {**kind, "metadata": {"name": name, "labels": labels}, "spec": without_unset(spec)}


def _container(workloads: Workloads, workload: Workload, name: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": image_of(workloads, workload),
        "command": [_text(word) for word in workload.argv],
        "workingDir": _text(workload.directory) or None,
        "env": _environment(workloads, workload, name),
        "envFrom": [{"secretRef": {"name": f"{name}-environment"}}] if workload.environment_files else None,
        "resources": _resources(workload),
        "securityContext": _security(workloads, workload),
    }
    health = workload.definition.health
    if health is not None:
        container |= _probes(workloads, workload, health)
    return without_unset(container)


def _environment(workloads: Workloads, workload: Workload, name: str) -> list[dict[str, Any]]:
    secret = f"{_name(workloads.name)}-secrets"

    def from_secret(key: str) -> dict[str, Any]:
        workloads.warn(
            workload, "", f"the value of {key} is not written out: put it into the Secret {secret}, key {key}"
        )
        return {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}

    environment = environment_of(workloads, workload)
    texts = [*workload.argv, workload.directory, *(text for text in environment.values() if text is not None)]
    # What others refer to comes first: Kubernetes knows only what stands above.
    found = [from_secret(name) for name in variables(texts) if name not in environment]
    for key, text in environment.items():
        found.append(from_secret(key) if text is None else {"name": key, "value": _text(text)})
    if workload.environment_files:
        workloads.warn(
            workload,
            "environment_file",
            f"is not read: put its variables into the Secret {name}-environment",
        )
    return found


def _resources(workload: Workload) -> dict[str, Any]:
    memory = memory_of(workload)
    return {"limits": {"memory": str(memory)}} if memory else {}


def _security(workloads: Workloads, workload: Workload) -> dict[str, Any]:
    spawn = workload.definition.spawn
    user, _, group = spawn.user.partition(":")
    found: dict[str, Any] = {}
    if user.isdecimal():
        found["runAsUser"] = int(user)
    elif user:
        workloads.warn(
            workload, "user", f"Kubernetes wants a number: say runAsUser, that of {user} in the image"
        )
    if group.isdecimal():
        found["runAsGroup"] = int(group)
    if spawn.no_new_privs:
        found["allowPrivilegeEscalation"] = False
    return found


def _probes(workloads: Workloads, workload: Workload, health: HealthSettings) -> dict[str, Any]:
    check = _check(workloads, workload, health)
    if check is None:
        return {}
    probe = without_unset(
        {
            **check,
            "initialDelaySeconds": round(health.start_period) or None,
            "periodSeconds": max(1, round(health.interval)),
            "timeoutSeconds": max(1, round(health.timeout)),
            "failureThreshold": health.retries,
        }
    )
    if health.on_failure == "restart":
        return {"livenessProbe": probe, "readinessProbe": probe}
    if health.on_failure != "none":
        workloads.warn(workload, "health.on_failure", "a probe can restart or do nothing; it does nothing")
    return {"readinessProbe": probe}


def _check(workloads: Workloads, workload: Workload, health: HealthSettings) -> dict[str, Any] | None:
    match health.kind:
        case "http":
            if health.expect:
                workloads.warn(workload, "health.expect", "a probe looks at the status only")
            target = http_target(health.target)
            get = {
                "path": target.path,
                "port": target.port,
                "scheme": "HTTPS" if target.scheme == "https" else None,
                "host": target.host or None,
            }
            return {"httpGet": without_unset(get)}
        case "tcp":
            target = tcp_target(health.target)
            return {"tcpSocket": without_unset({"port": target.port, "host": target.host or None})}
        case "exec":
            return {"exec": {"command": list(health.target)}}
        case _:
            workloads.warn(workload, "health", f"left out: a probe can not be of kind {health.kind}")
            return None


def _say_what_is_lost(workloads: Workloads, workload: Workload) -> None:
    definition = workload.definition
    if definition.stop.signal != signal.SIGTERM:
        workloads.warn(workload, "stopsignal", "Kubernetes sends the STOPSIGNAL of the image: set it there")
    if definition.start.autorestart == "unexpected" and not workload.ends_by_itself:
        workloads.note(
            workload, "autorestart", "a Deployment starts everything again, also after an expected end"
        )
    for needed, _ in workload.depends_on:
        workloads.warn(
            workload, "depends_on", f"nothing waits for {needed} any more: wait in an initContainer"
        )
    limits = {limit.name for limit in definition.spawn.rlimits} - MEMORY_LIMITS
    if limits:
        workloads.warn(workload, "rlimits", f"left out ({', '.join(sorted(limits))}): a matter of the node")
    say_what_is_lost(workloads, workload, "umask", "nice", "oom_score_adj")


def _text(text: Text) -> str:
    return write(text, lambda part: part.replace("$", "$$"), lambda name: f"$({name})")


def _name(name: str) -> str:
    return _names([name])[name]


def _names(names: Iterable[str]) -> dict[str, str]:
    """Names that Kubernetes allows."""
    return safe_names(names, r"[^a-z0-9-]+", 50)


KUBERNETES = TargetFormat("kubernetes", "manifests for Kubernetes", write_manifests)
