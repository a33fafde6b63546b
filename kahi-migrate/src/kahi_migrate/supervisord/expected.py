"""The processes that supervisord would run, to be compared with those of the result."""

from __future__ import annotations

import os
import shlex

from kahi_migrate.draft import Expected
from kahi_migrate.supervisord.context import Context
from kahi_migrate.supervisord.logs import DEVICES
from kahi_migrate.supervisord.names import key
from kahi_migrate.supervisord.resolved import Group, Log, Process, Program


def expected_processes(context: Context) -> list[Expected]:
    """All processes of all groups that supervisord starts."""
    return [
        _expected(context, group, program, process)
        for group in context.resolved.groups
        if not group.shadowed_by
        for program in group.programs
        for process in program.processes
        if _can_run(process)
    ]


def _can_run(process: Process) -> bool:
    try:
        return bool(shlex.split(process.command))
    except ValueError:
        return False


def _expected(context: Context, group: Group, program: Program, process: Process) -> Expected:
    daemon, policy = context.resolved.daemon, program.policy
    environment = {**daemon.environment, **process.environment}
    if policy.serverurl:
        environment.setdefault("SUPERVISOR_SERVER_URL", policy.serverurl)
    base = os.getcwd() if daemon.nodaemon or not daemon.directory else daemon.directory
    is_listener = program.kind == "eventlistener"
    return Expected(
        name=process.name,
        group=group.name,
        program=context.names.programs[key(program)],
        number=process.number,
        argv=tuple(shlex.split(process.command)),
        environment=environment,
        directory=_absolute(base, process.directory) if process.directory else "",
        user="" if policy.user in (None, daemon.user) else str(policy.user),
        umask=policy.umask,
        stdout="" if is_listener else _log(base, process.stdout),
        stderr=None if policy.redirect_stderr else _log(base, process.stderr),
        priority=(group.priority, policy.priority),
    )


def _log(base: str, log: Log) -> str:
    if log.path is None:
        return ""
    return DEVICES.get(log.path, log.path if log.path == "AUTO" else _absolute(base, log.path))


def _absolute(base: str, path: str) -> str:
    return os.path.normpath(os.path.join(base, path))
