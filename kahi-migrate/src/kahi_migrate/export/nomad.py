"""Nomad: one job with a group for each workload."""

from __future__ import annotations

import signal
from typing import Final

from kahi.definition import UNLIMITED, HealthSettings
from kahi_migrate.export.check import http_target, tcp_target
from kahi_migrate.export.container import MEMORY_LIMITS, environment_of, memory_of, runnable, say_what_is_lost
from kahi_migrate.export.hcl import Block, quoted
from kahi_migrate.export.naming import safe_names, seconds
from kahi_migrate.export.text import Text, variables, write
from kahi_migrate.export.workload import Workload, Workloads
from kahi_migrate.target import Output, TargetFormat

MEBIBYTE: Final = 1024 * 1024
PORT: Final = "health"


def write_jobs(workloads: Workloads) -> list[Output]:
    """A job for what runs, and one for what ends by itself, each in a file of its own."""
    members = runnable(workloads)
    names = safe_names((workload.name for workload in members), r"[^A-Za-z0-9_-]+", 100)
    outputs: list[Output] = []
    for kind, ends in (("service", False), ("batch", True)):
        groups = [
            _group(workloads, workload, names[workload.name])
            for workload in members
            if workload.ends_by_itself == ends
        ]
        if groups:
            name = _job(workloads, ends=ends)
            job = Block("job", name, {"datacenters": ["*"], "type": kind}, groups)
            outputs.append(Output(f"{name}.nomad.hcl", job.render()))
    return outputs


def _job(workloads: Workloads, *, ends: bool) -> str:
    name = safe_names([workloads.name], r"[^A-Za-z0-9_-]+", 100)[workloads.name]
    return f"{name}-batch" if ends else name


def _group(workloads: Workloads, workload: Workload, name: str) -> Block:
    definition = workload.definition
    say_what_is_lost(workloads, workload, "umask", "nice", "oom_score_adj", "no_new_privs")
    for needed, _ in workload.depends_on:
        workloads.warn(
            workload, "depends_on", f"nothing waits for {needed} any more: a prestart task can wait"
        )
    blocks = [_restart(workloads, workload)]
    if definition.health is not None:
        blocks += _service(workloads, workload, definition.health)
    blocks.append(_task(workloads, workload, name))
    return Block(
        "group",
        name,
        {"count": workload.replicas if definition.autostart else 0},
        blocks,
    )


def _restart(workloads: Workloads, workload: Workload) -> Block:
    start = workload.definition.start
    if start.autorestart == "unexpected" and not workload.ends_by_itself:
        workloads.note(
            workload, "autorestart", "a service job starts everything again, also after an expected end"
        )
    attempts = max(0 if workload.ends_by_itself else 1, start.startretries)
    mode = "fail" if workload.ends_by_itself else "delay"
    return Block("restart", "", {"attempts": attempts, "interval": "5m", "delay": "1s", "mode": mode})


def _task(workloads: Workloads, workload: Workload, name: str) -> Block:
    definition = workload.definition
    program, *arguments = workload.argv
    config: dict[str, str | list[str] | None] = {
        "command": _text(program),
        "args": [_text(word) for word in arguments] or None,
    }
    if workloads.image:
        config = {"image": workloads.image, **config}
    directory = _text(workload.directory)
    config["work_dir"] = directory or None
    blocks = [Block("config", "", config, _limits(workloads, workload))]
    blocks += _environment(workloads, workload, name)
    memory = memory_of(workload)
    if memory:
        blocks.append(Block("resources", "", {"memory": max(10, -(-memory // MEBIBYTE))}))
    stop = definition.stop
    return Block(
        "task",
        name,
        {
            "driver": "docker" if workloads.image else "exec",
            "user": definition.spawn.user.partition(":")[0] or None,
            "kill_signal": None if stop.signal == signal.SIGTERM else signal.Signals(stop.signal).name,
            "kill_timeout": f"{max(1, round(stop.wait))}s",
        },
        blocks,
    )


def _environment(workloads: Workloads, workload: Workload, name: str) -> list[Block]:
    """Plain values as they are; secrets, and what they are part of, from Nomad's variables."""
    environment = environment_of(workloads, workload)
    plain = {
        key: _text(text) for key, text in environment.items() if text is not None and not variables([text])
    }
    secret = [key for key, text in environment.items() if text is None]
    texts = [*workload.argv, workload.directory, *(text for text in environment.values() if text is not None)]
    wanted = list(dict.fromkeys([*secret, *variables(texts)]))
    blocks = [Block("env", "", plain)] if plain else []
    if wanted:
        path = f"nomad/jobs/{_job(workloads, ends=workload.ends_by_itself)}/{name}/{name}"
        lines = [f'{{{{ with nomadVar "{path}" }}}}', *(f"{key}={{{{ .{key} }}}}" for key in wanted)]
        combined = {key: text for key, text in environment.items() if text is not None and variables([text])}
        lines += [f"{key}={_in_template(text)}" for key, text in combined.items() if key not in wanted]
        template = "\n".join([*lines, "{{ end }}"])
        blocks.append(Block("template", "", {"data": template, "destination": "secrets/env", "env": True}))
        for key in wanted:
            workloads.warn(
                workload, "", f"the value of {key} is not written out: put it into the variable {path}"
            )
    for file in workload.environment_files:
        workloads.warn(
            workload, "environment_file", f"{file} is not read: put what is in it into the template"
        )
    return blocks


def _limits(workloads: Workloads, workload: Workload) -> list[Block]:
    limits = [limit for limit in workload.definition.spawn.rlimits if limit.name not in MEMORY_LIMITS]
    if not limits:
        return []
    if not workloads.image:
        workloads.warn(workload, "rlimits", "left out: only the docker driver knows limits (say --image)")
        return []
    values = {limit.name: f"{_limit(limit.soft)}:{_limit(limit.hard)}" for limit in limits}
    return [Block("ulimit", "", values)]


def _service(workloads: Workloads, workload: Workload, health: HealthSettings) -> list[Block]:
    check, port = _check(workloads, workload, health)
    if check is None:
        return []
    values: dict[str, str | int] = {
        **check,
        "interval": f"{seconds(health.interval)}s",
        "timeout": f"{seconds(max(1, health.timeout))}s",
    }
    restart: list[Block] = []
    if health.on_failure == "restart":
        grace = f"{seconds(max(1, health.start_period))}s"
        restart.append(Block("check_restart", "", {"limit": health.retries, "grace": grace}))
    elif health.on_failure != "none":
        workloads.warn(workload, "health.on_failure", "a check can restart or do nothing; it does nothing")
    service: dict[str, str] = {"name": workload.name, "provider": "nomad"}
    blocks: list[Block] = []
    if port:
        service["port"] = PORT
        blocks.append(Block("network", "", {}, [Block("port", PORT, {"static": port})]))
        workloads.note(
            workload, "health", f"port {port} is reserved on the node: two replicas can not share one"
        )
    return [*blocks, Block("service", "", service, [Block("check", "", values, restart)])]


def _check(
    workloads: Workloads, workload: Workload, health: HealthSettings
) -> tuple[dict[str, str | int] | None, int]:
    match health.kind:
        case "http":
            if health.expect:
                workloads.warn(workload, "health.expect", "a check looks at the status only")
            target = http_target(health.target)
            return {"type": "http", "protocol": target.scheme, "path": quoted(target.path)}, target.port
        case "tcp":
            return {"type": "tcp"}, tcp_target(health.target).port
        case "exec":
            workloads.warn(
                workload,
                "health.exec",
                'left out: script checks need Consul; say provider = "consul" and a script',
            )
            return None, 0
        case _:
            workloads.warn(workload, "health", f"left out: a check can not be of kind {health.kind}")
            return None, 0


def _limit(value: int) -> int:
    return -1 if value == UNLIMITED else value


def _text(text: Text) -> str:
    return write(text, quoted, lambda name: f"${{{name}}}")


def _in_template(text: Text) -> str:
    return write(text, lambda part: part.replace("{{", '{{ "{{" }}'), lambda name: f"{{{{ .{name} }}}}")


NOMAD = TargetFormat("nomad", "jobs for Nomad", write_jobs)
