"""Finding what supervisord would do with a configuration, or why it would refuse it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Final

from kahi_migrate.supervisord import values
from kahi_migrate.supervisord.configuration import Configuration, Value
from kahi_migrate.supervisord.events import EVENTS
from kahi_migrate.supervisord.reader import Names, SectionReader
from kahi_migrate.supervisord.resolved import (
    Daemon,
    Group,
    Kind,
    Listener,
    Log,
    Policy,
    Process,
    Program,
    Resolved,
    Server,
    Socket,
)

MAX_PROCESSES: Final = 10_000
MAIN_RPC_INTERFACE: Final = "supervisor.rpcinterface:make_main_rpcinterface"
DEFAULT_HANDLER: Final = "supervisor.dispatchers:default_handler"
LISTENER_PRIORITY: Final = -1
STREAMS: Final = ("stdout", "stderr")
_KINDS: Final[tuple[Kind, ...]] = ("program", "eventlistener", "fcgi-program")


def resolve(configuration: Configuration, environ: Mapping[str, str]) -> Resolved:
    """What supervisord would do if it were started with ``environ``.

    Nothing is looked for on the disk: users and directories need not exist here.
    """
    return _Resolving(configuration, environ).result()


def kind_of(section: str) -> Kind | None:
    """Whether a section describes processes, and of what kind."""
    return next((kind for kind in _KINDS if section.startswith(f"{kind}:")), None)


def name_of(section: str) -> str:
    """What follows the colon in a section's name."""
    return section.partition(":")[2].strip()


class _Resolving:
    def __init__(self, configuration: Configuration, environ: Mapping[str, str]) -> None:
        self._configuration = configuration
        self._environ = dict(environ)
        self._resolved = Resolved()

    def result(self) -> Resolved:
        resolved = self._resolved
        resolved.daemon = self._daemon()
        # From here on, the variables of [supervisord] environment can be referred to as well.
        self._environ |= resolved.daemon.environment
        for section in self._sections("rpcinterface:"):
            read = self._reader(section)
            if read.raw("supervisor.rpcinterface_factory") is None:
                read.refuse_section("has no supervisor.rpcinterface_factory")
            for key in self._configuration.keys(section):
                read.text(key)
        resolved.groups = _with_shadows(self._groups())
        for section in self._sections("inet_http_server"):
            resolved.servers.append(self._inet_server(section))
        for section in self._sections("unix_http_server"):
            resolved.servers.append(self._unix_server(section))
        return resolved

    def _sections(self, prefix: str) -> list[str]:
        return [name for name in self._configuration.sections if name.startswith(prefix)]

    def _reader(self, section: str, names: Names | None = None) -> SectionReader:
        return SectionReader(self._configuration, self._resolved, section, names or {}, self._environ)

    def _daemon(self) -> Daemon:
        read = self._reader("supervisord", {"here": self._configuration.here})
        default = Daemon()
        return Daemon(
            logfile=read.text("logfile"),
            logfile_maxbytes=read.convert("logfile_maxbytes", values.size, default.logfile_maxbytes),
            logfile_backups=read.convert("logfile_backups", values.integer, default.logfile_backups),
            loglevel=read.convert("loglevel", values.log_level, default.loglevel),
            pidfile=read.text("pidfile"),
            umask=read.convert("umask", values.octal, default.umask),
            nodaemon=read.convert("nodaemon", values.boolean, default.nodaemon),
            silent=read.convert("silent", values.boolean, default.silent),
            minfds=read.convert("minfds", values.integer, default.minfds),
            minprocs=read.convert("minprocs", values.integer, default.minprocs),
            nocleanup=read.convert("nocleanup", values.boolean, default.nocleanup),
            childlogdir=read.text("childlogdir"),
            user=read.convert("user", _not_empty, None),
            directory=read.text("directory"),
            strip_ansi=read.convert("strip_ansi", values.boolean, default.strip_ansi),
            identifier=default.identifier if (name := read.text("identifier")) is None else name,
            environment=self._daemon_environment(read),
        )

    def _daemon_environment(self, read: SectionReader) -> dict[str, str]:
        value = read.raw("environment")
        if value is None:
            return {}
        # Twice, and only the second time with the name of the host.
        text = read.expand(value, value.text)
        text = read.expand(value, text, read.names({"host_node_name": platform.node()}))
        return _environment(read, value, text)

    def _groups(self) -> list[Group]:
        groups: list[Group] = []
        grouped: set[str] = set()
        groups += [self._group(section, grouped) for section in self._sections("group:")]
        for kind in _KINDS:
            alone = (section for section in self._sections(f"{kind}:") if section not in grouped)
            groups += [self._group_of_one(section, kind) for section in alone]
        return sorted(groups, key=lambda group: (group.priority, group.name))

    def _group(self, section: str, grouped: set[str]) -> Group:
        read = self._reader(section, {"here": self._configuration.here})
        name = self._name(read, name_of(section))
        programs: list[Program] = []
        for member in read.convert("programs", values.names, []):
            found = [f"{kind}:{member}" for kind in ("program", "fcgi-program")]
            found = [each for each in found if each in self._configuration.sections]
            value = read.raw("programs")
            assert value is not None
            if len(found) == 1:
                grouped.add(found[0])
                programs.append(self._program(found[0], name))
            elif found:
                read.refuse(value, f"{member!r} is a program and an fcgi-program as well")
            else:
                read.refuse(value, f"there is no program {member!r}")
        return Group(section, name, read.convert("priority", values.integer, 999), tuple(programs))

    def _group_of_one(self, section: str, kind: Kind) -> Group:
        name = name_of(section)
        read = self._reader(section, {"here": self._configuration.here})
        default = LISTENER_PRIORITY if kind == "eventlistener" else 999
        priority = read.convert("priority", values.integer, default)
        if kind == "eventlistener":
            self._resolved.listeners[section] = self._listener(read)
        elif kind == "fcgi-program":
            self._resolved.sockets[section] = self._socket(read, name)
        return Group(section, name, priority, (self._program(section, name),))

    def _listener(self, read: SectionReader) -> Listener:
        events = tuple(name.upper() for name in read.convert("events", values.names, []))
        raw = read.raw("events")
        if raw is None:
            read.refuse_section("has no events")
        elif not events:
            read.refuse(raw, "is empty")
        elif not self._has_foreign_events():
            for name in events:
                if name not in EVENTS:
                    read.refuse(raw, f"there is no event {name!r}")
        if read.convert("redirect_stderr", values.boolean, False):
            value = read.raw("redirect_stderr")
            assert value is not None
            read.refuse(value, "cannot be true: what a listener says on stderr would break its protocol")
        size = read.convert("buffer_size", _at_least_one, 10)
        return Listener(events, size, read.text("result_handler") or DEFAULT_HANDLER)

    def _has_foreign_events(self) -> bool:
        """Whether an RPC interface may have added events that supervisord itself does not know."""
        factories = (
            self._reader(section).text("supervisor.rpcinterface_factory")
            for section in self._sections("rpcinterface:")
        )
        return any(factory not in (None, MAIN_RPC_INTERFACE) for factory in factories)

    def _socket(self, read: SectionReader, name: str) -> Socket:
        raw = read.raw("socket")
        names = read.names({"program_name": name})
        url = read.convert("socket", values.fcgi_socket, "", names)
        owner = read.convert("socket_owner", _not_empty, None)
        mode = read.convert("socket_mode", _maybe(values.octal), None)
        if raw is None:
            read.refuse_section("has no socket")
        elif url.startswith("tcp:") and (owner is not None or mode is not None):
            read.refuse(raw, "is no Unix socket, so it can have no socket_owner and no socket_mode")
        return Socket(url, owner, mode, read.convert("socket_backlog", _maybe(_backlog), None))

    def _program(self, section: str, group: str) -> Program:
        kind = kind_of(section)
        assert kind is not None
        names: dict[str, str | int] = {
            "here": self._configuration.here,
            "program_name": name_of(section),
            "host_node_name": platform.node(),
            "group_name": group,
        }
        read = self._reader(section, names)
        name = self._name(read, name_of(section))
        policy = _policy(read)
        processes = _Processes(read, policy, names, self._environ).all()
        return Program(section, kind, name, group, policy, processes)

    def _name(self, read: SectionReader, name: str) -> str:
        try:
            return values.process_or_group_name(name)
        except ValueError as error:
            read.refuse_section(str(error))
            return name

    def _inet_server(self, section: str) -> Server:
        read = self._reader(section)
        if read.raw("port") is None:
            read.refuse_section("has no port")
        host, port = read.convert("port", values.address, ("", 9001))
        username, password = self._credentials(read)
        return Server(section, host=host, port=port, username=username, password=password)

    def _unix_server(self, section: str) -> Server:
        read = self._reader(section)
        if read.raw("file") is None:
            read.refuse_section("has no file")
        file = read.text("file", read.names({"here": self._configuration.here})) or ""
        username, password = self._credentials(read)
        chmod = read.convert("chmod", values.octal, 0o700)
        return Server(section, file.strip(), "", 0, chmod, read.text("chown"), username, password)

    def _credentials(self, read: SectionReader) -> tuple[str | None, str | None]:
        username, password = read.text("username"), read.text("password")
        if (username is None) != (password is None):
            read.refuse_section("has one of username and password (allowed: both, or none)")
        return username, password


def _policy(read: SectionReader) -> Policy:
    default = Policy()
    stopasgroup = read.convert("stopasgroup", values.boolean, default.stopasgroup)
    killasgroup = read.convert("killasgroup", values.boolean, stopasgroup)
    raw = read.raw("killasgroup")
    if stopasgroup and not killasgroup and raw is not None:
        read.refuse(raw, "cannot be false when stopasgroup is true")
    serverurl = read.text("serverurl")
    return Policy(
        priority=read.convert("priority", values.integer, default.priority),
        autostart=read.convert("autostart", values.boolean, default.autostart),
        autorestart=read.convert("autorestart", values.autorestart, default.autorestart),
        startsecs=read.convert("startsecs", values.integer, default.startsecs),
        startretries=read.convert("startretries", values.integer, default.startretries),
        exitcodes=tuple(read.convert("exitcodes", values.exit_codes, list(default.exitcodes))),
        stopsignal=read.convert("stopsignal", values.signal_number, default.stopsignal),
        stopwaitsecs=read.convert("stopwaitsecs", values.integer, default.stopwaitsecs),
        stopasgroup=stopasgroup,
        killasgroup=killasgroup,
        redirect_stderr=read.convert("redirect_stderr", values.boolean, default.redirect_stderr),
        numprocs=read.convert("numprocs", values.integer, default.numprocs),
        numprocs_start=read.convert("numprocs_start", values.integer, default.numprocs_start),
        user=read.convert("user", _not_empty, None),
        umask=read.convert("umask", _maybe(values.octal), None),
        serverurl=None if serverurl is None or serverurl.strip().upper() == "AUTO" else serverurl,
    )


class _Processes:
    """The processes of a program. One dictionary of names serves all of them, as in supervisord."""

    def __init__(
        self, read: SectionReader, policy: Policy, names: dict[str, str | int], environ: Mapping[str, str]
    ) -> None:
        self._read = read
        self._policy = policy
        self._names = names
        self._environ = environ
        self._captures = {
            stream: read.convert(f"{stream}_capture_maxbytes", values.size, 0) for stream in STREAMS
        }
        self._events = {
            stream: read.convert(f"{stream}_events_enabled", values.boolean, False) for stream in STREAMS
        }

    def all(self) -> tuple[Process, ...]:
        read, policy = self._read, self._policy
        if read.raw("command") is None:
            read.refuse_section("has no command")
            return ()
        pattern = self._pattern()
        first = policy.numprocs_start
        count = min(policy.numprocs, MAX_PROCESSES)
        found: list[Process] = []
        for number in range(first, first + count):
            before = len(read.problems)
            found.append(self._process(pattern, number))
            if len(read.problems) > before:
                break
        return tuple(sorted(found, key=lambda process: process.name))

    def _pattern(self) -> tuple[Value | None, str]:
        read = self._read
        value = read.raw("process_name")
        pattern = "%(program_name)s" if value is None else value.text
        try:
            pattern = values.process_or_group_name(pattern)
        except ValueError as error:
            assert value is not None
            read.refuse(value, str(error))
        if self._policy.numprocs > 1 and "%(process_num)" not in pattern:
            message = "must hold %(process_num)d when numprocs is above 1"
            if value is None:
                read.refuse_section(f"process_name {message}")
            else:
                read.refuse(value, message)
        return value, pattern

    def _process(self, pattern: tuple[Value | None, str], number: int) -> Process:
        read, names, policy = self._read, self._names, self._policy
        names |= {"process_num": number, "numprocs": policy.numprocs}
        names |= {f"ENV_{key}": text for key, text in self._environ.items()}
        raw = read.raw("environment")
        environment = {} if raw is None else _environment(read, raw, read.expand(raw, raw.text, names))
        names |= {f"ENV_{key}": text for key, text in environment.items()}
        value, text = pattern
        return Process(
            name=text % names if value is None else read.expand(value, text, names),
            number=number,
            command=read.text("command", names) or "",
            directory=read.text("directory", names),
            environment=environment,
            stdout=self._log("stdout"),
            stderr=self._log("stderr"),
        )

    def _log(self, stream: str) -> Log:
        read, names = self._read, self._names
        path: str | None = values.AUTO
        value = read.raw(f"{stream}_logfile")
        if value is not None:
            # Twice: a percent sign in the name of a log takes four in the file.
            path = values.log_name(read.expand(value, read.expand(value, value.text, names), names))
        syslog = read.convert(f"{stream}_syslog", values.boolean, False, names)
        if path == "syslog":
            path, syslog = None, True
        if stream == "stderr" and self._policy.redirect_stderr:
            path = None
        return Log(
            path=path or None,
            maxbytes=read.convert(f"{stream}_logfile_maxbytes", values.size, 50 * 1024**2, names),
            backups=read.convert(f"{stream}_logfile_backups", values.integer, 10, names),
            capture_maxbytes=self._captures[stream],
            events_enabled=self._events[stream],
            syslog=syslog,
        )


def _environment(read: SectionReader, value: Value, text: str) -> dict[str, str]:
    try:
        return {variable.key: variable.value for variable in values.environment(text)}
    except ValueError as error:
        read.refuse(value, str(error))
        return {}


def _with_shadows(groups: list[Group]) -> list[Group]:
    """Mark the groups that supervisord drops because one of the same name came first."""
    first: dict[str, str] = {}
    found: list[Group] = []
    for group in groups:
        shadow = first.setdefault(group.name, group.section)
        if shadow != group.section:
            group = Group(group.section, group.name, group.priority, group.programs, shadow)
        found.append(group)
    return found


def _not_empty(text: str) -> str | None:
    if not text:
        raise ValueError("is empty")
    return text


def _maybe(convert: Callable[[str], int]) -> Callable[[str], int | None]:
    return convert


def _at_least_one(text: str) -> int:
    if values.integer(text) < 1:
        raise ValueError("is too small (at least 1)")
    return values.integer(text)


def _backlog(text: str) -> int:
    if not 1 <= values.integer(text) <= 65535:
        raise ValueError("is out of range (allowed: 1 to 65535)")
    return values.integer(text)
