"""Finding what supervisord would do with a configuration, or why it would refuse it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Final

from kahi_migrate.supervisord import values
from kahi_migrate.supervisord.configuration import Configuration
from kahi_migrate.supervisord.events import EVENTS
from kahi_migrate.supervisord.processes import Processes, read_environment, read_policy
from kahi_migrate.supervisord.reader import Names, SectionReader, maybe, not_empty
from kahi_migrate.supervisord.resolved import (
    Daemon,
    Group,
    Kind,
    Listener,
    Program,
    Resolved,
    Server,
    Socket,
)

MAIN_RPC_INTERFACE: Final = "supervisor.rpcinterface:make_main_rpcinterface"
DEFAULT_HANDLER: Final = "supervisor.dispatchers:default_handler"
LISTENER_PRIORITY: Final = -1
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
            user=read.convert("user", not_empty, None),
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
        return read_environment(read, value, text)

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
        owner = read.convert("socket_owner", not_empty, None)
        mode = read.convert("socket_mode", maybe(values.octal), None)
        if raw is None:
            read.refuse_section("has no socket")
        elif url.startswith("tcp:") and (owner is not None or mode is not None):
            read.refuse(raw, "is no Unix socket, so it can have no socket_owner and no socket_mode")
        return Socket(url, owner, mode, read.convert("socket_backlog", maybe(_backlog), None))

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
        policy = read_policy(read)
        processes = Processes(read, policy, names, self._environ).all()
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


def _at_least_one(text: str) -> int:
    if values.integer(text) < 1:
        raise ValueError("is too small (at least 1)")
    return values.integer(text)


def _backlog(text: str) -> int:
    if not 1 <= values.integer(text) <= 65535:
        raise ValueError("is out of range (allowed: 1 to 65535)")
    return values.integer(text)
