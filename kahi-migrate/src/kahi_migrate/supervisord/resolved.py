"""What supervisord makes of a configuration: values after expansion, processes, groups, servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kahi.errors import Problem
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.values import Autorestart

Kind = Literal["program", "fcgi-program", "eventlistener"]


@dataclass(frozen=True, slots=True)
class Daemon:
    """``[supervisord]``. Paths are None where supervisord takes one in its working directory."""

    logfile: str | None = None
    logfile_maxbytes: int = 50 * 1024**2
    logfile_backups: int = 10
    loglevel: str = "info"
    pidfile: str | None = None
    umask: int = 0o022
    nodaemon: bool = False
    silent: bool = False
    minfds: int = 1024
    minprocs: int = 200
    nocleanup: bool = False
    childlogdir: str | None = None
    user: str | None = None
    directory: str | None = None
    strip_ansi: bool = False
    identifier: str = "supervisor"
    environment: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Log:
    """One output stream; ``path`` is AUTO for a temporary file, None for none."""

    path: str | None
    maxbytes: int
    backups: int
    capture_maxbytes: int = 0
    events_enabled: bool = False
    syslog: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """One process; ``environment`` is its program's own."""

    name: str
    number: int
    command: str
    directory: str | None
    environment: dict[str, str]
    stdout: Log
    stderr: Log


@dataclass(frozen=True, slots=True)
class Policy:
    """What all processes of a program share."""

    priority: int = 999
    autostart: bool = True
    autorestart: Autorestart = "unexpected"
    startsecs: int = 1
    startretries: int = 3
    exitcodes: tuple[int, ...] = (0,)
    stopsignal: int = 15
    stopwaitsecs: int = 10
    stopasgroup: bool = False
    killasgroup: bool = False
    redirect_stderr: bool = False
    numprocs: int = 1
    numprocs_start: int = 0
    user: str | None = None
    umask: int | None = None
    serverurl: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A section that describes processes, as member of one group."""

    section: str
    kind: Kind
    name: str
    group: str
    policy: Policy
    processes: tuple[Process, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A group that supervisord makes, be it of one program that is in no ``[group:x]``.

    Args:
        section: where it comes from.
        shadowed_by: the section of another group of the same name, because of which supervisord
            never runs this one; "" for none.
    """

    section: str
    name: str
    priority: int
    programs: tuple[Program, ...]
    shadowed_by: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """What an event listener pool has beside its processes."""

    events: tuple[str, ...]
    buffer_size: int
    result_handler: str


@dataclass(frozen=True, slots=True)
class Socket:
    """What a FastCGI program has beside its processes."""

    url: str
    owner: str | None
    mode: int | None
    backlog: int | None


@dataclass(frozen=True, slots=True)
class Server:
    """A server of supervisord; ``file`` is "" for TCP."""

    section: str
    file: str = ""
    host: str = ""
    port: int = 0
    chmod: int = 0o700
    chown: str | None = None
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Unset:
    """A value that needs an environment variable that is not set here."""

    value: Value
    variable: str


@dataclass(slots=True)
class Resolved:
    """Everything that supervisord would do.

    Args:
        groups: in the order in which supervisord starts them.
        listeners, sockets: by section.
        problems: because of which supervisord would refuse to start.
        unset: likewise, but only here: other machines may have the variables.
    """

    daemon: Daemon = field(default_factory=Daemon)
    groups: list[Group] = field(default_factory=list[Group])
    listeners: dict[str, Listener] = field(default_factory=dict[str, Listener])
    sockets: dict[str, Socket] = field(default_factory=dict[str, Socket])
    servers: list[Server] = field(default_factory=list[Server])
    problems: list[Problem] = field(default_factory=list[Problem])
    unset: list[Unset] = field(default_factory=list[Unset])
