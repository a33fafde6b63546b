"""What is to be supervised: frozen values, resolved to the last detail.

[kahi.config][] makes these from files, everything else only reads them. Two definitions that are
equal describe the same process, which is what a reload compares. The parts are cut by what a change
of them means: ``spawn`` and ``socket`` need a restart, the rest is taken over live.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Autorestart = Literal["always", "never", "unexpected"]
Condition = Literal["running", "healthy", "exited"]
StdinSource = Literal["pipe", "null"]
FailureAction = Literal["restart", "none"] | int

UNLIMITED = -1
"""The value of a resource limit that does not limit (as in [resource.RLIM_INFINITY][])."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays between failed starts, in seconds: ``initial * factor ** n``, at most ``maximum``.

    ``jitter`` is the share of the delay that chance may add (0.5: up to half as long again).
    """

    initial: float = 1.0
    factor: float = 2.0
    maximum: float = 60.0
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class StartPolicy:
    """When a process counts as started, and what follows its end (spec: lifecycle)."""

    startsecs: float = 1.0
    startretries: int = 3
    autorestart: Autorestart = "unexpected"
    exitcodes: frozenset[int] = frozenset({0})
    oneshot: bool = False
    restart_delay: float = 0.0
    backoff: Backoff = Backoff()


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """How a process is asked to end: ``signal``, then SIGKILL after ``wait`` seconds."""

    signal: int = signal.SIGTERM
    wait: float = 10.0
    as_group: bool = False
    kill_as_group: bool = False


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """One resource limit; ``name`` without ``RLIMIT_`` and in lower case, as in ``nofile``."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class SpawnSpec:
    """Everything that is fixed at exec.

    Args:
        command: argv; the first word is looked up on the child's own PATH.
        directory: to be entered before exec, "" for the daemon's.
        environment: what the configuration adds, later ranks already merged over earlier ones.
        clean_environment: start from nothing but ``environment``.
        inherit_environment: keep the daemon's environment although ``user`` differs.
        user: ``user``, ``user:group`` or ``uid:gid``; "" for the daemon's.
        umask: None for the daemon's.
        nice: niceness to set, 0 leaves it.
        oom_score_adj: None leaves it.
        rlimits: limits to set, in name order.
        stdin: a pipe that ``send`` and ``attach`` write to, or /dev/null.
        redirect_stderr: stderr goes where stdout goes.
    """

    command: tuple[str, ...]
    directory: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    clean_environment: bool = False
    inherit_environment: bool = False
    user: str = ""
    umask: int | None = None
    nice: int = 0
    oom_score_adj: int | None = None
    no_new_privs: bool = False
    rlimits: tuple[ResourceLimit, ...] = ()
    stdin: StdinSource = "pipe"
    redirect_stderr: bool = False


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Where one output stream of a process goes (spec: output).

    Args:
        logfile: an absolute path; "" for the daemon's console; ``AUTO`` for a file of its own in
            the child log directory; ``/dev/stdout``, ``/dev/stderr``, ``/dev/null``.
        maxbytes: size at which the file is rotated, 0 never.
        backups: rotated files that are kept, 0 truncates instead.
        buffer_maxbytes: size of the ring buffer, 0 for none.
        capture_maxbytes: bytes kept between communication marks, 0 turns capturing off.
        owner: uid and gid that a log file is given to when it is made; None leaves it to the daemon.
    """

    logfile: str = ""
    maxbytes: int = 50 * 1024 * 1024
    backups: int = 10
    buffer_maxbytes: int = 1024 * 1024
    capture_maxbytes: int = 0
    events_enabled: bool = False
    syslog: bool = False
    strip_ansi: bool = False
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """A listening socket that Kahi binds and a FastCGI program gets as its stdin.

    ``url`` is ``unix:///path`` or ``tcp://host:port``; ``backlog`` 0 takes the system's maximum.
    """

    url: str
    owner: str = ""
    mode: int = 0o700
    backlog: int = 0


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """What an event listener pool wants: event types or prefixes, and how many wait at most."""

    events: tuple[str, ...]
    buffer_size: int = 10


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How it is found out whether a process does its work, and what is done when it does not.

    Args:
        kind: ``http``, ``tcp``, ``exec``, ``notify``, or a kind that a plugin brings.
        target: what the kind looks at: a URL, ``host:port``, argv, True, or what a plugin wants.
        expect: text that the answer to an http check has to hold, "" for any.
        interval: seconds between two checks; ``timeout`` those that one may take.
        retries: failures in a row after which the process is unhealthy.
        start_period: seconds after its start in which failures do not count.
        on_failure: what follows when it is; a number is a signal to be sent.
    """

    kind: str
    target: Any
    expect: str = ""
    interval: float = 10.0
    timeout: float = 3.0
    retries: int = 3
    start_period: float = 0.0
    on_failure: FailureAction = "restart"


@dataclass(frozen=True, slots=True)
class ProcessDefinition:
    """One process, fully resolved.

    Args:
        name: unique over the whole daemon.
        program: the table it comes from, ``group`` the group it belongs to.
        number: its process_num.
        stderr: None when stderr is redirected to stdout.
        depends_on: program or process name and the condition it waits for.
        max_memory: bytes of resident memory of its process tree before it is restarted, 0 any.
        stdin_eof: whether a client may end its standard input.
        extensions: validated values of plugins' keys and tables inside the program, by key.
    """

    name: str
    program: str
    group: str
    spawn: SpawnSpec
    number: int = 0
    priority: int = 999
    autostart: bool = True
    start: StartPolicy = StartPolicy()
    stop: StopPolicy = StopPolicy()
    stdout: StreamSettings = StreamSettings()
    stderr: StreamSettings | None = StreamSettings()
    description: str = ""
    depends_on: tuple[tuple[str, Condition], ...] = ()
    critical: bool = False
    max_memory: int = 0
    stdin_eof: bool = False
    socket: SocketSettings | None = None
    listener: ListenerSettings | None = None
    health: HealthSettings | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class GroupDefinition:
    """A group: its processes in name order of programs and number within them."""

    name: str
    priority: int = 999
    processes: tuple[ProcessDefinition, ...] = ()
