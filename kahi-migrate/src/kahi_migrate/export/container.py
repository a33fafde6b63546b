"""What holds wherever programs run in containers."""

from __future__ import annotations

from kahi.definition import UNLIMITED
from kahi_migrate.export.text import Text, variables
from kahi_migrate.export.workload import Workload, Workloads

MEMORY_LIMITS = frozenset({"as", "data", "rss"})
"""Resource limits that a container's limit of memory stands for."""


def runnable(workloads: Workloads) -> list[Workload]:
    """Those that run without somebody who hands them a listening socket."""
    found: list[Workload] = []
    for workload in workloads:
        if workload.definition.socket is None:
            found.append(workload)
        else:
            workloads.warn(workload, "socket", "left out: only a supervisor can hand it a listening socket")
    return found


def image_of(workloads: Workloads, workload: Workload) -> str:
    """The image it runs in; made up when the person named none."""
    made_up = f"{workload.definition.program.lower()}:latest"
    if not workloads.image:
        workloads.warn(workload, "", f"runs in image {made_up}, which is made up: say --image")
    return workloads.image or made_up


def environment_of(workloads: Workloads, workload: Workload) -> dict[str, Text | None]:
    """Its variables, without those that add to what the daemon has: an image has its own."""
    found: dict[str, Text | None] = {}
    for key, text in workload.environment.items():
        if text is not None and key in variables([text]):
            workloads.warn(
                workload, f"environment.{key}", "left out: it adds to the value of the daemon; write it whole"
            )
        else:
            found[key] = text
    return found


def memory_of(workload: Workload) -> int:
    """Bytes of memory it may have, 0 for any."""
    limits = [
        limit.soft
        for limit in workload.definition.spawn.rlimits
        if limit.name in MEMORY_LIMITS and limit.soft != UNLIMITED
    ]
    return min([*limits, *filter(None, [workload.definition.max_memory])], default=0)


def say_what_is_lost(workloads: Workloads, workload: Workload, *keys: str) -> None:
    """Warn of keys that a container has no place for, and of logs."""
    workloads.lost(workload, *keys, "clean_environment", "critical", reason="there is no place for it")
    for stream in ("stdout_logfile", "stderr_logfile"):
        workloads.lost(workload, stream, reason="what it prints goes to the log of the container")
