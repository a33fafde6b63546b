"""``[supervisord]`` on its way into ``[supervisor]``."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Final

from kahi_migrate import draft
from kahi_migrate.expression import render
from kahi_migrate.supervisord import template
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context, fill, place_of, source_text
from kahi_migrate.supervisord.layout import Section
from kahi_migrate.supervisord.logs import DEVICES
from kahi_migrate.supervisord.streams import size
from kahi_migrate.supervisord.text import Inexpressible
from kahi_migrate.supervisord.variables import checked, speak, write

SECTION: Final = "supervisord"
_LEVELS: Final[Mapping[str, str]] = {"critical": "error", "trace": "debug", "blather": "debug"}


class DaemonTranslation:
    """The daemon's own settings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._draft = context.draft
        self._daemon = context.resolved.daemon
        self._speaker = context.speaker()
        self.table = context.draft.table("supervisor", place=context.section_place(SECTION))

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
                self._say(value, comment, value.setting.key)
            case "directory":
                self._take_directory(value, comment)
            case "umask":
                self._take_umask(value, comment)
            case "user" | "identifier":
                self._say(value, comment, value.setting.key)
            case "logfile_maxbytes" | "logfile_backups" if not self._goes_to_file():
                pass
            case "logfile_maxbytes":
                self._set(value, size(self._daemon.logfile_maxbytes), comment)
            case "logfile_backups":
                self._set(value, max(0, self._daemon.logfile_backups), comment)
            case "minfds":
                self._set(value, max(1, self._daemon.minfds), comment)
            case "minprocs":
                self._set(value, max(1, self._daemon.minprocs), comment)
            case "nocleanup":
                self._set(value, self._daemon.nocleanup, comment)
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
            self._draft.unsupported(
                self.table,
                place_of(value),
                source_text(value),
                "Kahi does not send its own log to syslog; it goes to stdout, which a service manager "
                "forwards",
            )
        elif DEVICES.get(path) == "/dev/stdout" or (path == "/dev/null" and to_stdout):
            self.table.set("logfile", "", place_of(value), comment)
        elif path in DEVICES:
            self.table.set("logfile", DEVICES[path], place_of(value), comment)
        else:
            self._say(value, comment, "logfile")
            if to_stdout:
                self._draft.note(
                    place_of(value),
                    "in the foreground, supervisord writes its log to stdout as well; Kahi does not",
                )

    def _take_level(self, value: Value, comment: str) -> None:
        level = _LEVELS.get(self._daemon.loglevel, self._daemon.loglevel)
        if level != self._daemon.loglevel:
            self._draft.note(place_of(value), f"the nearest level in Kahi is {level}")
        self._context.warn_if_fixed(value, level)
        self.table.set("log_level", level, place_of(value), comment)

    def _take_directory(self, value: Value, comment: str) -> None:
        if not self._daemon.nodaemon:
            self._say(value, comment, "directory")
            return
        self._draft.unsupported(
            self.table,
            place_of(value),
            source_text(value),
            "supervisord ignores it as well while nodaemon is true",
        )

    def _take_umask(self, value: Value, comment: str) -> None:
        if self._daemon.nodaemon:
            self._draft.unsupported(
                self.table,
                place_of(value),
                source_text(value),
                "supervisord ignores it as well while nodaemon is true",
            )
        elif template.variables(value.text):
            self._say(value, comment, "umask")
        else:
            self.table.set("umask", f"{self._daemon.umask:03o}", place_of(value), comment)

    def _take_silent(self, value: Value) -> None:
        if self._daemon.silent and self._daemon.nodaemon and self._daemon.logfile is None:
            self.table.set("logfile", "supervisord.log", place_of(value))

    def _take_environment(self, value: Value) -> None:
        names: dict[str, str | int] = {"here": self._context.directory, "host_node_name": platform.node()}
        environ = self._context.environ_of_programs()
        try:
            spoken, missing = checked(
                speak(self._speaker, value.text, twice=True), self._daemon.environment, names, environ
            )
        except Inexpressible as error:
            self._draft.unsupported(self.table, place_of(value), source_text(value), str(error))
            return
        for name in missing:
            self._draft.unsupported(
                self.table,
                place_of(value),
                f"environment {name}",
                "its value depends on the content of variables",
            )
        if spoken:
            write(self._context, self.table.child("environment", place_of(value)), value, spoken)

    def _say(self, value: Value, comment: str, key: str) -> None:
        try:
            text = render(self._speaker.path_parts(value.text))
        except Inexpressible as error:
            self._draft.unsupported(self.table, place_of(value), source_text(value), str(error))
        else:
            self.table.set(key, text, place_of(value), comment)

    def _set(self, value: Value, computed: draft.Value, comment: str) -> None:
        self._context.warn_if_fixed(value, computed)
        self.table.set(value.setting.key, computed, place_of(value), comment)
