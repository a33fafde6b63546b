"""Executing a program exactly as configured, or saying exactly why that is impossible.

A [Launch][kahi.child.Launch] holds all that exec needs, resolved: nothing about users, paths or
environments is decided after it was made. [spawn][kahi.child.spawn] applies all of it or none:
what can not be applied is a [SpawnError][kahi.errors.SpawnError] that names the step, never a
process with more rights than asked for.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import resource
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kahi.definition import UNLIMITED, ProcessDefinition, ResourceLimit, SpawnSpec, StdinSource
from kahi.errors import TRANSIENT_ERRORS, SpawnError
from kahi.system import System

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of a child whose environment has none."""

RESOURCES: Final[Mapping[str, int]] = {
    name.removeprefix("RLIMIT_").lower(): getattr(resource, name)
    for name in dir(resource)
    if name.startswith("RLIMIT_")
}
"""Resource limits this system knows, by their name without ``RLIMIT_``."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a child runs as; the account's data fill the environment of another user's child."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str
    shell: str


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


class Pipes:
    """The descriptors between the daemon and a child that is about to be spawned.

    Args:
        stdin: a descriptor that the child shares with others, "pipe" for a pipe of its own, or
            "null" for /dev/null.
        separate_stderr: False joins stderr to stdout.

    Raises:
        SpawnError: no descriptors are left; nothing stays open.
    """

    __slots__ = ("_system", "_theirs", "child", "stderr", "stdin", "stdout")

    def __init__(self, system: System, stdin: int | StdinSource, *, separate_stderr: bool) -> None:
        self._system = system
        self._theirs: list[int] = []
        self.stdin = self.stdout = self.stderr = -1
        """The daemon's ends; -1 for none."""
        try:
            child_stdin = stdin if isinstance(stdin, int) else self._make_stdin(stdin)
            self.stdout, child_stdout = self._pipe_to_child()
            child_stderr = child_stdout
            if separate_stderr:
                self.stderr, child_stderr = self._pipe_to_child()
        except OSError as error:
            self.close()
            raise _error("make", "pipes", error) from error
        self.child = (child_stdin, child_stdout, child_stderr)

    def _make_stdin(self, source: StdinSource) -> int:
        if source == "null":
            fd = os.open(os.devnull, os.O_RDONLY)
        else:
            fd, ours = self._system.pipe()
            self.stdin = self._system.lift(ours)
        self._theirs.append(fd)
        return fd

    def _pipe_to_child(self) -> tuple[int, int]:
        ours, theirs = self._system.pipe()
        self._theirs.append(theirs)
        return self._system.lift(ours), theirs

    def close_child_ends(self) -> None:
        """Close what only the child needs; to be called once it has been spawned."""
        for fd in self._theirs:
            self._system.close(fd)
        self._theirs.clear()

    def close(self) -> None:
        """Close everything but a shared stdin."""
        self.close_child_ends()
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd >= 0:
                self._system.close(fd)


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


def find_identity(wanted: str) -> Identity | None:
    """Look up ``user``, ``user:group`` or ``uid:gid``.

    Returns:
        None when that is who the daemon is already, so that there is nothing to change.

    Raises:
        SpawnError: no such user or group, or the daemon is not root and may not change.
    """
    user, _, group = wanted.partition(":")
    account = _account(user)
    gid = _group_id(group) if group else account.gid
    groups = tuple(os.getgrouplist(account.name, gid)) if account.name else (gid,)
    is_ours = account.uid == os.geteuid() and (not group or gid == os.getegid())
    if is_ours and (os.geteuid() != 0 or not group):
        return None
    if os.geteuid() != 0:
        raise SpawnError(
            "become user", wanted, errno.EPERM, "only a daemon that runs as root can change the user"
        )
    return Identity(account.uid, gid, groups, account.name, account.home, account.shell)


def _account(user: str) -> Identity:
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if user.isdecimal():
            return Identity(int(user), int(user), (), "", "/", "/bin/sh")
        raise SpawnError("become user", user, reason="no such user") from None
    return Identity(found.pw_uid, found.pw_gid, (), found.pw_name, found.pw_dir, found.pw_shell)


def _group_id(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise SpawnError("become group", group, reason="no such group") from None


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


def find_program(word: str, environment: Mapping[str, str], directory: str = "") -> str:
    """The file that ``word`` names: itself when it holds a slash, else the first match on PATH.

    Args:
        environment: the child's; an empty or relative part of its PATH counts from ``directory``.

    Raises:
        SpawnError: nothing on the PATH, or only files that are not executable.
    """
    if not word:
        raise SpawnError("run", "''", reason="the command is empty")
    if "/" in word:
        return word
    search_path = environment.get("PATH", DEFAULT_PATH)
    refused = ""
    for part in search_path.split(":"):
        candidate = os.path.join(part or ".", word)
        seen_from_here = os.path.join(directory, candidate)
        try:
            mode = os.stat(seen_from_here).st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            continue
        if mode & 0o111:
            return candidate
        refused = refused or candidate
    if refused:
        raise SpawnError("run", refused, errno.EACCES, "the file is not executable")
    raise SpawnError("run", word, errno.ENOENT, f"no such program on PATH ({search_path})")


def spawn(system: System, launch: Launch, descriptors: tuple[int, int, int]) -> int:
    """Execute a program; returns its pid once the exec succeeded.

    Runs on the main thread and takes as long as exec does (0.4 ms; 2 ms more when credentials,
    limits or priorities have to be set in the child).

    Args:
        descriptors: stdin, stdout and stderr of the child; they stay open in the caller.

    Raises:
        SpawnError: which step failed on what and why; ``permanent`` unless it may pass.
    """
    path = find_program(launch.argv[0] if launch.argv else "", launch.environment, launch.directory)
    _refuse_unusable(launch)
    if _needs_preparation(launch):
        return _spawn_prepared(system, launch, path, descriptors)
    try:
        return system.spawn(
            path,
            launch.argv,
            launch.environment,
            descriptors,
            directory=launch.directory or None,
            umask=-1 if launch.umask is None else launch.umask,
        )
    except OSError as error:
        if launch.directory and error.filename == launch.directory:
            raise _error("enter directory", launch.directory, error) from error
        raise _exec_error(launch, path, error) from error


def _refuse_unusable(launch: Launch) -> None:
    """Say in words what exec would refuse with a ValueError."""
    if any("\0" in word for word in launch.argv):
        raise SpawnError("run", launch.argv[0], reason="an argument holds a NUL character")
    for key, value in launch.environment.items():
        if not key or "=" in key or "\0" in key or "\0" in value:
            raise SpawnError("set environment variable", repr(key), reason="not a valid name or value")


def _needs_preparation(launch: Launch) -> bool:
    return bool(
        launch.identity is not None
        or launch.rlimits
        or launch.nice
        or launch.oom_score_adj is not None
        or launch.no_new_privs
    )


def _spawn_prepared(system: System, launch: Launch, path: str, descriptors: tuple[int, int, int]) -> int:
    try:
        report_end, child_end = system.pipe()
    except OSError as error:
        raise _error("make", "pipes", error) from error
    try:
        prepare = _Preparation(system, launch, child_end)
        return system.spawn(path, launch.argv, launch.environment, descriptors, prepare=prepare)
    except subprocess.SubprocessError as error:
        # Only what the child wrote is there to be read, and then the end.
        system.close(child_end)
        child_end = -1
        raise _reported_error(os.read(report_end, 65536)) from error
    except OSError as error:
        raise _exec_error(launch, path, error) from error
    finally:
        system.close(report_end)
        system.close(child_end)


class _Preparation:
    """What happens in the child between fork and exec: no imports, no logging, no locks.

    Root's work comes first (limits, priorities), then the identity, and then what has to be judged
    with the rights of the new identity: the directory.
    """

    def __init__(self, system: System, launch: Launch, report: int) -> None:
        self._report = report
        self._steps: list[tuple[str, str, Callable[[], object]]] = []
        add = self._steps.append
        adjustment, identity, umask = launch.oom_score_adj, launch.identity, launch.umask
        if adjustment is not None:
            add(("set oom_score_adj", str(adjustment), lambda: system.set_oom_score_adj(adjustment)))
        if launch.nice:
            add(("set nice", str(launch.nice), lambda: system.set_niceness(launch.nice)))
        for limit in launch.rlimits:
            add(("set limit", _limit_text(limit), lambda limit=limit: _set_limit(system, limit)))
        if identity is not None:
            add(
                (
                    "become user",
                    identity.name or str(identity.uid),
                    lambda: system.set_identity(identity.uid, identity.gid, identity.groups),
                )
            )
        if launch.directory:
            add(("enter directory", launch.directory, lambda: os.chdir(launch.directory)))
        if umask is not None:
            add(("set umask", f"{umask:03o}", lambda: os.umask(umask)))
        if launch.no_new_privs:
            system.get_ready_to_prepare()
            add(("set no_new_privs", "", system.set_no_new_privs))

    def __call__(self) -> None:
        for step, subject, action in self._steps:
            try:
                action()
            except (OSError, ValueError, OverflowError, MemoryError) as error:
                if isinstance(error, MemoryError):
                    code = errno.ENOMEM
                else:
                    code = error.errno if isinstance(error, OSError) else errno.EINVAL
                message = "\0".join((str(code or 0), step, subject, str(error)))
                os.write(self._report, message.encode("utf-8", "surrogateescape"))
                raise


def _set_limit(system: System, limit: ResourceLimit) -> None:
    if limit.name not in RESOURCES:
        raise OSError(errno.ENOTSUP, "this system has no such limit")
    soft = resource.RLIM_INFINITY if limit.soft == UNLIMITED else limit.soft
    hard = resource.RLIM_INFINITY if limit.hard == UNLIMITED else limit.hard
    system.set_limit(RESOURCES[limit.name], soft, hard)


def _limit_text(limit: ResourceLimit) -> str:
    soft, hard = ("unlimited" if value == UNLIMITED else str(value) for value in (limit.soft, limit.hard))
    return f"{limit.name} = {soft}:{hard}"


def _reported_error(report: bytes) -> SpawnError:
    try:
        code, step, subject, reason = report.decode("utf-8", "surrogateescape").split("\0")
    except ValueError:
        return SpawnError("prepare", "the child", reason="it died before it could say why")
    number = int(code)
    return SpawnError(
        step, subject, number, "" if number else reason, permanent=number not in TRANSIENT_ERRORS
    )


def _exec_error(launch: Launch, path: str, error: OSError) -> SpawnError:
    code = error.errno or 0
    if code == errno.ENOENT and _exists(path, launch.directory):
        return SpawnError("run", path, code, _interpreter_hint(path, launch.directory))
    if code == errno.E2BIG:
        size = sum(len(word) + 1 for word in launch.argv)
        more = sum(len(key) + len(value) + 2 for key, value in launch.environment.items())
        return SpawnError("run", path, code, f"too large: {size} bytes of arguments, {more} of environment")
    if code == errno.ENOEXEC:
        return SpawnError("run", path, code, "not a program, and without a #! line")
    return _error("run", path, error)


def _error(step: str, subject: str, error: OSError) -> SpawnError:
    code = error.errno or 0
    return SpawnError(step, subject, code, permanent=code not in TRANSIENT_ERRORS)


def _exists(path: str, directory: str) -> bool:
    return os.path.lexists(os.path.join(directory, path))


def _interpreter_hint(path: str, directory: str) -> str:
    """Why a file that is there can not be found: mostly a bad interpreter in its first line."""
    try:
        with open(os.path.join(directory, path), "rb") as file:
            first = file.readline(256)
    except OSError:
        return os.strerror(errno.ENOENT)
    if not first.startswith(b"#!"):
        return "its dynamic loader, or a directory on the way, does not exist"
    interpreter = first[2:].strip().split(b" ")[0].decode("utf-8", "replace")
    if first.endswith(b"\r\n"):
        return f"its #! line ends in a carriage return, so {interpreter!r} is not found"
    return f"the interpreter of its #! line, {interpreter!r}, does not exist"
