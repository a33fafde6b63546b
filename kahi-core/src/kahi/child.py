"""Executing a program exactly as configured, or saying exactly why that is impossible.

A [Launch][kahi.launch.Launch] holds all that exec needs, resolved: nothing about users, paths or
environments is decided after it was made. [spawn][kahi.child.spawn] applies all of it or none:
what can not be applied is a [SpawnError][kahi.errors.SpawnError] that names the step, never a
process with more rights than asked for.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
from collections.abc import Callable, Mapping
from typing import Final

from kahi.definition import UNLIMITED, ResourceLimit, StdinSource
from kahi.errors import TRANSIENT_ERRORS, SpawnError
from kahi.launch import DEFAULT_PATH, Launch
from kahi.system import System

RESOURCES: Final[Mapping[str, int]] = {
    name.removeprefix("RLIMIT_").lower(): getattr(resource, name)
    for name in dir(resource)
    if name.startswith("RLIMIT_")
}
"""Resource limits this system knows, by their name without ``RLIMIT_``."""


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
