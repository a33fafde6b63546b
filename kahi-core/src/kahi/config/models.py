"""Every key of the configuration, its default and what it means, once.

The sample that ``kahi init`` prints, the reference and the JSON Schema come from these models.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kahi.child import RESOURCES
from kahi.config.bounds import MAX_PROCESSES
from kahi.config.listener import known_event
from kahi.config.values import (
    AutorestartWord,
    ExitCode,
    FailureWord,
    Limit,
    Mode,
    Pause,
    Priority,
    Seconds,
    SignalNumber,
    Size,
    Variable,
    check_url,
    parse_endpoint,
    parse_socket,
    parse_syslog,
)

Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip
SyslogPriority = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]

MAX_BUFFER = 100 * 1024 * 1024


class Model(BaseModel):
    """A table: unknown keys are dealt with by the loader, which knows where they stand."""

    # Few configurations use every kind of table: what validates one is built when the first is met.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, defer_build=True)


class SyslogSettings(Model):
    """``[supervisor.syslog]``: where the lines of programs with ``stdout_syslog`` go."""

    address: str = Field(
        default="/dev/log", description='Socket of the system, "udp://host:514" or "tcp://host:514".'
    )
    facility: Facility = Field(default="local0", description="Facility of the messages.")
    priority: SyslogPriority = Field(default="info", description="Priority of the messages.")

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        parse_syslog(address)
        return address


class SupervisorSettings(Model):
    """``[supervisor]``: the daemon itself."""

    logfile: str = Field(default="", description="File of the daemon's own log; empty for stdout.")
    logfile_maxbytes: Size = Field(
        default=50 * 1024**2, description="Size at which the log is rotated; 0 never."
    )
    logfile_backups: int = Field(default=10, ge=0, description="Rotated logs that are kept; 0 truncates.")
    log_level: Literal["debug", "info", "warn", "error"] = Field(
        default="info", description="The least that is logged."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="Format of the log and of what programs print to the console."
    )
    directory: str = Field(default="", description="Directory the daemon changes to; empty stays.")
    identifier: str = Field(
        default="kahi", min_length=1, description="Name of this daemon in events and answers."
    )
    minfds: int = Field(default=1024, ge=1, description="Open files the daemon must be allowed to have.")
    minprocs: int = Field(
        default=200, ge=1, description="Processes the daemon's user must be allowed to have."
    )
    nocleanup: bool = Field(default=False, description="Keep AUTO logs of the last run.")
    childlogdir: str = Field(
        default="", description="Directory of AUTO logs; empty for the temporary directory."
    )
    shutdown_timeout: Seconds = Field(
        default=30, description="Seconds a shutdown takes at most before it kills."
    )
    umask: Mode = Field(default=0o022, description="File mode mask of the daemon.")
    user: str = Field(default="", description="User (and group after a colon) to become after start.")
    pidfile: str = Field(default="", description="File that holds the daemon's pid; empty for none.")
    subreaper: bool = Field(default=False, description="Adopt and reap orphans also when not PID 1.")
    exit_when: Literal["never", "all-exited", "any-exited", "any-fatal"] = Field(
        default="never", description="When the daemon ends by itself, with that process's exit code."
    )
    on_daemon_death: Literal["kill", "leave"] = Field(
        default="kill",
        description="What becomes of programs when the daemon dies; the next one ends what was left.",
    )
    strict: bool = Field(default=False, description="Unknown keys are errors.")
    disabled_plugins: tuple[str, ...] = Field(
        default=(), description="Plugins that are not loaded.", strict=False
    )
    required_plugins: tuple[str, ...] = Field(
        default=(), description="Plugins without which the daemon does not start.", strict=False
    )
    environment: dict[str, Variable] = Field(default_factory=dict, description="Environment of all programs.")
    syslog: SyslogSettings = Field(default=SyslogSettings(), description="Where lines for syslog go.")


class BackoffModel(Model):
    """``[programs.NAME.backoff]``: delays between failed starts."""

    initial: Seconds = Field(default=1.0, description="Seconds before the first retry.")
    factor: float = Field(
        default=2.0, ge=1, allow_inf_nan=False, description="By which each further delay grows."
    )
    max: Seconds = Field(default=60.0, description="Seconds at which delays stop growing.")
    jitter: float = Field(default=0.0, ge=0, le=1, description="Share of the delay that chance may add.")


class HealthModel(Model):
    """``[programs.NAME.health]``: whether it does its work, and what follows when it does not."""

    http: str = Field(default="", description="URL that answers with 2xx or 3xx; redirects are not followed.")
    expect: str = Field(default="", description="Text that the answer to http has to hold.")
    tcp: str = Field(default="", description="host:port that accepts a connection.")
    exec: str | list[str] = Field(default="", description="Program that exits with 0.")
    notify: bool = Field(default=False, description="It tells by itself: READY=1, STATUS=, WATCHDOG=1.")
    interval: Pause = Field(default=10.0, description="Seconds between two checks.")
    timeout: Pause = Field(default=3.0, description="Seconds that one check may take.")
    retries: int = Field(default=3, ge=1, description="Failures in a row that make it unhealthy.")
    start_period: Seconds = Field(
        default=0.0, description="Seconds after its start in which failures do not count."
    )
    on_failure: FailureWord = Field(
        default="restart", description='What follows: "restart", "none", "signal:HUP".'
    )

    @field_validator("http")
    @classmethod
    def _url(cls, url: str) -> str:
        return url if not url else check_url(url)

    @field_validator("tcp")
    @classmethod
    def _endpoint(cls, endpoint: str) -> str:
        if endpoint:
            parse_endpoint(endpoint)
        return endpoint


class ProgramModel(Model):
    """``[programs.NAME]``: one program, run as one or more processes."""

    command: str | list[str] = Field(
        description="What to run: words split by shell rules, or a list; never a shell."
    )
    process_name: str = Field(default="", description="Name of each process; %(process_num)d for its number.")
    numprocs: int = Field(default=1, ge=0, le=MAX_PROCESSES, description="How many processes to run.")
    numprocs_start: int = Field(default=0, ge=0, description="Number of the first process.")
    priority: Priority = Field(default=999, description="Lower starts earlier and stops later.")
    autostart: bool = Field(default=True, description="Start with the daemon.")
    autorestart: AutorestartWord = Field(
        default="unexpected", description="Restart after an exit: true, false or only when unexpected."
    )
    startsecs: Seconds = Field(default=1.0, description="Seconds it must live to count as started.")
    startretries: int = Field(default=3, ge=-1, description="Retries after a failed start; -1 without end.")
    exitcodes: frozenset[ExitCode] = Field(
        default=frozenset({0}), description="Exit codes that are expected.", strict=False
    )
    stopsignal: SignalNumber = Field(default=15, description="Signal that asks it to stop.")
    stopwaitsecs: Seconds = Field(default=10.0, description="Seconds from the stop signal to SIGKILL.")
    stopasgroup: bool = Field(default=False, description="Send the stop signal to its process group.")
    killasgroup: bool | None = Field(
        default=None,
        examples=[False],
        description="Send SIGKILL to its process group, and end what is left of it; unset: as stopasgroup.",
    )
    user: str = Field(default="", description="User, user:group or uid:gid to run as.")
    directory: str = Field(default="", description="Directory to run in.")
    umask: Mode = Field(default=None, description="File mode mask.")
    nice: int = Field(default=0, ge=-20, le=19, description="Niceness.")
    oom_score_adj: int | None = Field(
        default=None,
        ge=-1000,
        le=1000,
        examples=[500],
        description="How readily the kernel kills it when memory runs out, -1000 to 1000; unset by default.",
    )
    no_new_privs: bool = Field(default=False, description="Let it gain no rights by set-uid programs.")
    oneshot: bool = Field(default=False, description="Runs to its end once; an expected end is a success.")
    clean_environment: bool = Field(default=False, description="Start from an empty environment.")
    inherit_environment: bool = Field(
        default=False, description="Keep the daemon's environment also for another user."
    )
    environment_file: tuple[str, ...] = Field(
        default=(), description='Files of variables; "-" before a name: may be missing.', strict=False
    )
    stdin: Literal["pipe", "null"] = Field(default="pipe", description="Its standard input.")
    stdin_eof: bool = Field(default=False, description="Allow Ctrl-D of `kahi ctl attach` to end it.")
    redirect_stderr: bool = Field(default=False, description="Send stderr where stdout goes.")
    strip_ansi: bool = Field(default=False, description="Remove escape sequences from its output.")
    stdout_logfile: str = Field(default="", description='Log of stdout; empty for the console, "AUTO".')
    stdout_logfile_maxbytes: Size = Field(default=50 * 1024**2, description="Size at which it is rotated.")
    stdout_logfile_backups: int = Field(default=10, ge=0, description="Rotated logs that are kept.")
    stdout_buffer_maxbytes: Annotated[Size, Field(le=MAX_BUFFER)] = Field(
        default=1024**2, description="Bytes of output kept in memory where there is no log file."
    )
    stdout_capture_maxbytes: Annotated[Size, Field(le=MAX_BUFFER)] = Field(
        default=0, description="Above 0: what stands between communication marks becomes an event."
    )
    stdout_events_enabled: bool = Field(default=False, description="Publish what it prints as events.")
    stdout_syslog: bool = Field(default=False, description="Send each line to syslog as well.")
    stderr_logfile: str = Field(default="", description='Log of stderr; empty for the console, "AUTO".')
    stderr_logfile_maxbytes: Size = Field(default=50 * 1024**2, description="Size at which it is rotated.")
    stderr_logfile_backups: int = Field(default=10, ge=0, description="Rotated logs that are kept.")
    stderr_buffer_maxbytes: Annotated[Size, Field(le=MAX_BUFFER)] = Field(
        default=1024**2, description="Bytes of output kept in memory where there is no log file."
    )
    stderr_capture_maxbytes: Annotated[Size, Field(le=MAX_BUFFER)] = Field(
        default=0, description="Above 0: what stands between communication marks becomes an event."
    )
    stderr_events_enabled: bool = Field(default=False, description="Publish what it prints as events.")
    stderr_syslog: bool = Field(default=False, description="Send each line to syslog as well.")
    description: str = Field(default="", description="What it is, for people.")
    depends_on: dict[str, Literal["running", "healthy", "exited"]] = Field(
        default_factory=dict, description="What must be there before it starts."
    )
    critical: bool = Field(default=False, description="Its end ends the daemon, with its exit code.")
    max_memory: Size = Field(
        default=0, description="Resident memory of its process tree at which it is restarted; 0 for any."
    )
    restart_delay: Seconds = Field(default=0.0, description="Seconds between an exit and the restart.")
    environment: dict[str, Variable] = Field(default_factory=dict, description="Its environment.")
    rlimits: dict[str, Limit] = Field(default_factory=dict, description="Resource limits.")
    backoff: BackoffModel = Field(default=BackoffModel(), description="Delays between failed starts.")
    health: HealthModel = Field(
        default=HealthModel(), description="Whether it does its work: exactly one of http, tcp, exec, notify."
    )

    @field_validator("rlimits")
    @classmethod
    def _known_limits(cls, limits: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        for name in limits:
            if name not in RESOURCES:
                raise ValueError(f"there is no limit {name!r} (allowed: {', '.join(sorted(RESOURCES))})")
        return limits


class FcgiProgramModel(ProgramModel):
    """``[fcgi_programs.NAME]``: a program whose stdin is a listening socket that Kahi binds."""

    socket: str = Field(
        min_length=1,
        description='Where to listen: "unix:///path" or "tcp://host:port"; all processes share it.',
    )
    socket_owner: str = Field(default="", description="USER or USER:GROUP that a Unix socket is given to.")
    socket_mode: Mode = Field(default=0o700, description="Mode of a Unix socket.")
    socket_backlog: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Connections that may wait; 0 for as many as the system allows.",
    )

    @field_validator("socket")
    @classmethod
    def _address(cls, url: str) -> str:
        parse_socket(url)
        return url


class EventListenerModel(ProgramModel):
    """``[eventlisteners.NAME]``: a pool of processes that get events by supervisord's protocol."""

    events: tuple[str, ...] = Field(
        default=(),
        description='Types or prefixes of events, as in ["PROCESS_STATE", "TICK_60"].',
        strict=False,
    )
    buffer_size: int = Field(default=10, ge=1, description="Events that wait at most; the oldest give way.")

    @field_validator("events")
    @classmethod
    def _known_events(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_event(event.upper()) for event in events)


class GroupModel(Model):
    """``[groups.NAME]``: several programs under one name."""

    programs: tuple[str, ...] = Field(description="Names of its programs.", strict=False)
    priority: Priority = Field(default=999, description="Lower starts earlier and stops later.")
