"""``[supervisord]`` on its way into ``[supervisor]``."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Final

from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context, fill, place_of
from kahi_migrate.supervisord.layout import Section
from kahi_migrate.supervisord.logs import DEVICES
from kahi_migrate.supervisord.section import SectionTranslation
from kahi_migrate.supervisord.streams import size
from kahi_migrate.supervisord.variables import write

SECTION: Final = "supervisord"
IN_THE_FOREGROUND: Final = "supervisord ignores it as well while nodaemon is true"
_LEVELS: Final[Mapping[str, str]] = {"critical": "error", "trace": "debug", "blather": "debug"}


class DaemonTranslation(SectionTranslation):
    """The daemon's own settings."""

    def __init__(self, context: Context) -> None:
        table = context.draft.table("supervisor", place=context.section_place(SECTION))
        super().__init__(context, table, context.speaker())
        self._daemon = context.resolved.daemon

    def translate(self, sections: list[Section]) -> None:
        """Fill the table."""
        fill(self._context, self.table, sections, self._take)
        daemon = self._daemon
        # supervisord writes lines for people.
        self.table.set("log_format", "text")
        if daemon.nodaemon:
            # In the foreground, supervisord keeps the umask it was started with.
            self.table.set("umask", "")
            return
        self._draft.note(
            self._context.section_place(SECTION),
            "supervisord goes into the background by itself; say kahi daemon -d, or leave that to what "
            "starts it",
        )
        if daemon.logfile is None:
            self.table.set("logfile", "supervisord.log")
        if daemon.pidfile is None:
            self.table.set("pidfile", "supervisord.pid")

    def _take(self, value: Value, comment: str) -> None:
        match value.setting.key:
            case "logfile":
                self._take_logfile(value, comment)
            case "loglevel":
                self._take_level(value, comment)
            case "pidfile" | "childlogdir":
                self._say_path(value, comment)
            case "directory":
                self._take_directory(value, comment)
            case "umask":
                self._take_umask(value, comment)
            case "user" | "identifier":
                self._say(value, comment)
            case "logfile_maxbytes" | "logfile_backups" if not self._goes_to_file():
                pass
            case "logfile_maxbytes":
                self._set_computed(value, size(self._daemon.logfile_maxbytes), comment)
            case "logfile_backups":
                self._set_computed(value, max(0, self._daemon.logfile_backups), comment)
            case "minfds":
                self._set_computed(value, max(1, self._daemon.minfds), comment)
            case "minprocs":
                self._set_computed(value, max(1, self._daemon.minprocs), comment)
            case "nocleanup":
                self._set_computed(value, self._daemon.nocleanup, comment)
            case "environment":
                self._take_environment(value)
            case "silent":
                self._take_silent(value)
            case _:
                # nodaemon is a matter of the command line, strip_ansi one of each program.
                pass

    def _goes_to_file(self) -> bool:
        path = self._daemon.logfile or ""
        return path != "syslog" and path not in DEVICES

    def _take_logfile(self, value: Value, comment: str) -> None:
        daemon = self._daemon
        path = daemon.logfile or ""
        to_stdout = daemon.nodaemon and not daemon.silent
        if path == "syslog":
            self._unsupported(
                value,
                "Kahi does not send its own log to syslog; it goes to stdout, which a service manager "
                "forwards",
            )
        elif DEVICES.get(path) == "/dev/stdout" or (path == "/dev/null" and to_stdout):
            self._set(value, "", comment)
        elif path in DEVICES:
            self._set(value, DEVICES[path], comment)
        else:
            self._say_path(value, comment)
            if to_stdout:
                self._draft.note(
                    place_of(value),
                    "in the foreground, supervisord writes its log to stdout as well; Kahi does not",
                )

    def _take_level(self, value: Value, comment: str) -> None:
        level = _LEVELS.get(self._daemon.loglevel, self._daemon.loglevel)
        if level != self._daemon.loglevel:
            self._draft.note(place_of(value), f"the nearest level in Kahi is {level}")
        self._set_computed(value, level, comment, key="log_level")

    def _take_directory(self, value: Value, comment: str) -> None:
        if self._daemon.nodaemon:
            self._unsupported(value, IN_THE_FOREGROUND)
        else:
            self._say_path(value, comment)

    def _take_umask(self, value: Value, comment: str) -> None:
        if self._daemon.nodaemon:
            self._unsupported(value, IN_THE_FOREGROUND)
        elif self._refers(value):
            self._say(value, comment)
        else:
            self._set(value, f"{self._daemon.umask:03o}", comment)

    def _take_silent(self, value: Value) -> None:
        if self._daemon.silent and self._daemon.nodaemon and self._daemon.logfile is None:
            self.table.set("logfile", "supervisord.log", place_of(value))

    def _take_environment(self, value: Value) -> None:
        names: dict[str, str | int] = {"here": self._context.directory, "host_node_name": platform.node()}
        spoken = self._variables_of(value, self._daemon.environment, names, twice=True)
        if spoken:
            write(self._context, self.table.child("environment", place_of(value)), value, spoken)
