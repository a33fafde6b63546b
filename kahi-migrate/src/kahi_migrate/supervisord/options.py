"""Every option of supervisord 4.3, by section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kahi_migrate.supervisord.resolve import kind_of

_STREAM: Final = tuple(
    f"{stream}_{option}"
    for stream in ("stdout", "stderr")
    for option in (
        "logfile",
        "logfile_maxbytes",
        "logfile_backups",
        "capture_maxbytes",
        "events_enabled",
        "syslog",
    )
)
_PROGRAM: Final = frozenset(
    {
        "command",
        "process_name",
        "numprocs",
        "numprocs_start",
        "priority",
        "autostart",
        "autorestart",
        "startsecs",
        "startretries",
        "exitcodes",
        "stopsignal",
        "stopwaitsecs",
        "stopasgroup",
        "killasgroup",
        "user",
        "redirect_stderr",
        "environment",
        "directory",
        "umask",
        "serverurl",
        *_STREAM,
    }
)
_SERVER: Final = frozenset({"username", "password"})

_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "supervisord": frozenset(
        {
            "logfile",
            "logfile_maxbytes",
            "logfile_backups",
            "loglevel",
            "pidfile",
            "umask",
            "nodaemon",
            "silent",
            "minfds",
            "minprocs",
            "nocleanup",
            "childlogdir",
            "user",
            "directory",
            "strip_ansi",
            "environment",
            "identifier",
        }
    ),
    "supervisorctl": frozenset({"serverurl", "username", "password", "prompt", "history_file"}),
    "include": frozenset({"files"}),
    "program": _PROGRAM,
    "fcgi-program": _PROGRAM | {"socket", "socket_backlog", "socket_owner", "socket_mode"},
    "eventlistener": _PROGRAM | {"events", "buffer_size", "result_handler"},
    "group": frozenset({"programs", "priority"}),
    "unix_http_server": _SERVER | {"file", "chmod", "chown"},
    "inet_http_server": _SERVER | {"port"},
}


def family(section: str) -> str:
    """What kind of section it is, "" for one that supervisord does not know.

    The names of servers only have to begin right.
    """
    if section in ("supervisord", "supervisorctl", "include"):
        return section
    for prefix in ("unix_http_server", "inet_http_server"):
        if section.startswith(prefix):
            return prefix
    for prefix in ("group", "rpcinterface", "ctlplugin"):
        if section.startswith(f"{prefix}:"):
            return prefix
    return kind_of(section) or ""


def options(section: str) -> frozenset[str] | None:
    """The options of a section, None when it takes any."""
    found = family(section)
    return None if found in ("rpcinterface", "ctlplugin", "") else _OPTIONS[found]
