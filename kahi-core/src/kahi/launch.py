"""What exactly is to be executed: a definition, resolved for the next spawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kahi.definition import ProcessDefinition, ResourceLimit, SpawnSpec
from kahi.identity import Identity, find_identity

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of a child whose environment has none."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that one exec needs.

    Args:
        argv: never empty.
        identity: None keeps the daemon's user.
        directory: "" keeps the daemon's.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str = ""
    umask: int | None = None
    identity: Identity | None = None
    nice: int = 0
    oom_score_adj: int | None = None
    no_new_privs: bool = False
    rlimits: tuple[ResourceLimit, ...] = ()


def make_launch(
    definition: ProcessDefinition, daemon_environment: Mapping[str, str], *, server_url: str = ""
) -> Launch:
    """Resolve what ``definition`` says for the next spawn.

    Args:
        daemon_environment: the daemon's own environment.
        server_url: where the control socket is served, "" when it is not.

    Raises:
        SpawnError: the user is unknown, or the daemon may not become it.
    """
    spec = definition.spawn
    identity = find_identity(spec.user) if spec.user else None
    return Launch(
        argv=spec.command,
        environment=_environment(definition, identity, daemon_environment, server_url),
        directory=spec.directory,
        umask=spec.umask,
        identity=identity,
        nice=spec.nice,
        oom_score_adj=spec.oom_score_adj,
        no_new_privs=spec.no_new_privs,
        rlimits=spec.rlimits,
    )


def _environment(
    definition: ProcessDefinition,
    identity: Identity | None,
    daemon_environment: Mapping[str, str],
    server_url: str,
) -> dict[str, str]:
    base = _base_environment(definition.spawn, identity, daemon_environment)
    base["SUPERVISOR_ENABLED"] = "1"
    base["SUPERVISOR_PROCESS_NAME"] = definition.name
    base["SUPERVISOR_GROUP_NAME"] = definition.group
    if server_url:
        base["SUPERVISOR_SERVER_URL"] = server_url
    base.update(definition.spawn.environment)
    return base


def _base_environment(
    spec: SpawnSpec, identity: Identity | None, daemon_environment: Mapping[str, str]
) -> dict[str, str]:
    if spec.clean_environment:
        return {}
    if identity is None or spec.inherit_environment:
        return dict(daemon_environment)
    minimal = {"PATH": daemon_environment.get("PATH", DEFAULT_PATH), "HOME": identity.home}
    if identity.name:
        minimal |= {"USER": identity.name, "LOGNAME": identity.name}
    minimal["SHELL"] = identity.shell or "/bin/sh"
    return minimal
