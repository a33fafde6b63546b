"""The processes of one section, as supervisord makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kahi_migrate.supervisord import values
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.reader import SectionReader, maybe, not_empty
from kahi_migrate.supervisord.resolved import Log, Policy, Process

MAX_PROCESSES: Final = 10_000
STREAMS: Final = ("stdout", "stderr")


def read_policy(read: SectionReader) -> Policy:
    """What all processes of a section share."""
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
        user=read.convert("user", not_empty, None),
        umask=read.convert("umask", maybe(values.octal), None),
        serverurl=None if serverurl is None or serverurl.strip().upper() == "AUTO" else serverurl,
    )


class Processes:
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
        """All of them in name order; up to the first that supervisord refuses."""
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
        environment = {} if raw is None else read_environment(read, raw, read.expand(raw, raw.text, names))
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


def read_environment(read: SectionReader, value: Value, text: str) -> dict[str, str]:
    """The variables of an ``environment`` value, which ``text`` is after expansion."""
    try:
        return {variable.key: variable.value for variable in values.environment(text)}
    except ValueError as error:
        read.refuse(value, str(error))
        return {}
