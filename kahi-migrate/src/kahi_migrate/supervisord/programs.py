"""Sections that describe processes: ``[program:x]``, ``[fcgi-program:x]``, ``[eventlistener:x]``."""

from __future__ import annotations

import platform
import shlex
import signal
from collections.abc import Callable, Mapping
from typing import Final

from kahi.config.bounds import MAX_PROCESSES
from kahi_migrate import draft
from kahi_migrate.draft import ROOT, Place
from kahi_migrate.expression import Part, render
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context, fill, place_of
from kahi_migrate.supervisord.layout import Section
from kahi_migrate.supervisord.logs import Plan
from kahi_migrate.supervisord.names import Key, is_possible, key, possible
from kahi_migrate.supervisord.processes import STREAMS
from kahi_migrate.supervisord.resolved import Kind, Policy, Program
from kahi_migrate.supervisord.section import SectionTranslation
from kahi_migrate.supervisord.streams import StreamTranslation
from kahi_migrate.supervisord.text import Inexpressible, on_fewer_lines
from kahi_migrate.supervisord.variables import write

TABLES: Final[Mapping[Kind, str]] = {
    "program": "programs",
    "fcgi-program": "fcgi_programs",
    "eventlistener": "eventlisteners",
}
HIGHEST_PRIORITY: Final = 999

_AUTORESTART: Final[Mapping[str, draft.Value]] = {"always": True, "never": False, "unexpected": "unexpected"}
_AS_IT_IS: Final[Mapping[str, Callable[[Policy], draft.Value]]] = {
    "autostart": lambda policy: policy.autostart,
    "autorestart": lambda policy: _AUTORESTART[policy.autorestart],
    "exitcodes": lambda policy: list(policy.exitcodes),
    "stopasgroup": lambda policy: policy.stopasgroup,
}
"""Options that mean the same in Kahi, whatever their value."""

_NOT_NEGATIVE: Final[Mapping[str, Callable[[Policy], int]]] = {
    "startsecs": lambda policy: policy.startsecs,
    "startretries": lambda policy: policy.startretries,
    "stopwaitsecs": lambda policy: policy.stopwaitsecs,
    "numprocs_start": lambda policy: policy.numprocs_start,
}
"""Numbers that Kahi wants to be 0 at least; below it, supervisord does the same as at 0."""


class ProgramTranslation(SectionTranslation):
    """A program, as member of one group, on its way into its table."""

    def __init__(self, context: Context, program: Program, plans: Mapping[tuple[Key, str], Plan]) -> None:
        place = context.section_place(program.section)
        name = context.names.programs[key(program)]
        table = context.draft.table(TABLES[program.kind], name, place=place)
        super().__init__(context, table, context.speaker())
        self._place = place
        self._name = name
        self._program = program
        self._policy = program.policy
        self._group = context.names.groups.get(program.group, self._name)
        self._streams = {
            stream: StreamTranslation(
                context, table, self._speaker, program, stream, plans.get((key(program), stream))
            )
            for stream in STREAMS
        }

    def translate(self, sections: list[Section]) -> None:
        """Fill the table."""
        literal = {"program_name": self._program.name, "group_name": self._program.group}
        now = {"program_name": self._name, "group_name": self._group}
        self._speaker.literal = {name: text for name, text in literal.items() if text != now[name]}
        self._speak_environment()
        fill(self._context, self.table, sections, self._take)
        self._complete()

    def _take(self, value: Value, comment: str) -> None:
        option = value.setting.key
        prefix = option.partition("_")[0]
        if option in _AS_IT_IS:
            self._set_computed(value, _AS_IT_IS[option](self._policy), comment)
        elif option in _NOT_NEGATIVE:
            self._not_negative(value, _NOT_NEGATIVE[option](self._policy), comment)
        elif option != "stdout" and prefix in self._streams:
            self._streams[prefix].take(value, comment)
        else:
            getattr(self, f"_take_{option}")(value, comment)

    # One method for each option that takes more than that

    def _take_command(self, value: Value, comment: str) -> None:
        self._say(value, comment, on_fewer_lines)
        processes = self._program.processes
        try:
            words = shlex.split(processes[0].command) if processes else ["?"]
        except ValueError as error:
            self._draft.disable(
                self.table, f"supervisord cannot run its command either: {str(error).lower()}"
            )
        else:
            if not words:
                self._draft.disable(self.table, "supervisord cannot run its command either: it is empty")

    def _take_process_name(self, value: Value, comment: str) -> None:
        pattern = self._process_name(value.text.strip())
        if pattern:
            self.table.set("process_name", pattern, place_of(value), comment)

    def _take_numprocs(self, value: Value, comment: str) -> None:
        number = self._policy.numprocs
        if number > MAX_PROCESSES:
            self._draft.warn(
                place_of(value), f"is more than Kahi runs of one program; {MAX_PROCESSES} is written"
            )
        self._set_computed(value, max(0, min(number, MAX_PROCESSES)), comment)

    def _take_priority(self, value: Value, comment: str) -> None:
        priority = within_bounds(self._draft, place_of(value), self._policy.priority)
        self._set_computed(value, priority, comment)

    def _take_stopsignal(self, value: Value, comment: str) -> None:
        number = self._policy.stopsignal
        if number == 0:
            self._unsupported(value, "0 is no signal; supervisord sends nothing and kills after stopwaitsecs")
        elif not self._passed_on(value, comment):
            self.table.set(
                "stopsignal", signal.Signals(number).name.removeprefix("SIG"), place_of(value), comment
            )

    def _take_killasgroup(self, value: Value, comment: str) -> None:
        if self._policy.killasgroup and not self._policy.stopasgroup:
            self._set_computed(value, True, comment)

    def _take_umask(self, value: Value, comment: str) -> None:
        if not self._passed_on(value, comment) and self._policy.umask is not None:
            self.table.set("umask", f"{self._policy.umask:03o}", place_of(value), comment)

    def _take_redirect_stderr(self, value: Value, comment: str) -> None:
        self._set_computed(value, self._streams["stderr"].is_joined, comment)

    def _take_user(self, value: Value, comment: str) -> None:
        self._say(value, comment)

    def _take_directory(self, value: Value, comment: str) -> None:
        if not value.text:
            self._draft.warn(place_of(value), "is empty: supervisord never runs it, Kahi does")
        self._say(value, comment)

    def _take_environment(self, value: Value, comment: str) -> None:
        if self._variables:
            write(self._context, self.table.child("environment", place_of(value)), value, self._variables)

    def _take_serverurl(self, value: Value, comment: str) -> None:
        url = self._policy.serverurl
        if url is None:
            return
        if not url:
            self._unsupported(value, "SUPERVISOR_SERVER_URL is set whenever there is a control socket")
        elif "SUPERVISOR_SERVER_URL" not in self._speaker.own:
            child = self.table.child("environment", place_of(value))
            child.set("SUPERVISOR_SERVER_URL", self._speaker.say(value.text), place_of(value), comment)

    # What follows from options that are not there

    def _complete(self) -> None:
        program, policy = self._program, self._policy
        for stream in self._streams.values():
            stream.complete()
        if self._context.configuration.get(program.section, "process_name") is None:
            pattern = self._process_name("%(program_name)s")
            if pattern:
                self.table.set("process_name", pattern)
        daemon = self._context.resolved.daemon
        if policy.user is not None and policy.user not in (daemon.user, *ROOT):
            # Kahi would give it the HOME, USER and so on of that user.
            self.table.set("inherit_environment", True)
        if daemon.strip_ansi:
            self.table.set("strip_ansi", True)
        if policy.startsecs <= 0 and policy.autorestart != "never":
            self._draft.warn(
                self._place,
                "startsecs is 0: a process that ends within a second of its start counts as a failed start "
                f"in Kahi, and is given up after {max(0, policy.startretries)} retries; "
                "startretries = -1 goes on for ever, as supervisord does",
            )

    # Helpers

    def _passed_on(self, value: Value, comment: str) -> bool:
        """Take over a text that refers to something, which Kahi puts in before it reads the value."""
        refers = self._refers(value)
        if refers:
            self._say(value, comment)
        return refers

    def _not_negative(self, value: Value, number: int, comment: str) -> None:
        if value.setting.key == "numprocs_start" and number < 0:
            self._draft.warn(place_of(value), "is negative; the first process has number 0 in Kahi")
        self._set_computed(value, max(0, number), comment)

    def _speak_environment(self) -> None:
        """Find out what the section's own variables are: other options may refer to them."""
        self._variables = []
        value = self._context.configuration.get(self._program.section, "environment")
        if value is None:
            return
        names = {
            "here": self._context.directory,
            "program_name": self._name,
            "group_name": self._group,
            "host_node_name": platform.node(),
            "process_num": self._policy.numprocs_start,
            "numprocs": self._policy.numprocs,
        }
        processes = self._program.processes
        spoken = self._variables_of(value, processes[0].environment if processes else None, names)
        self._variables = spoken
        self._speaker.own |= {each.key: each.parts for each in spoken}

    def _process_name(self, pattern: str) -> str:
        """The pattern of process names, "" where Kahi's own does the same."""
        program, policy = self._program, self._policy
        prefix = self._context.names.prefixes[key(program)]
        wanted = {process.number: prefix + process.name for process in program.processes}
        default = {
            number: self._name if policy.numprocs == 1 else f"{self._name}_{number}" for number in wanted
        }
        if wanted == default or not wanted:
            return ""
        try:
            parts: list[Part] = [prefix, *self._speaker.parts(pattern)]
        except Inexpressible as error:
            self._draft.warn(self._place, f"process names are other ones in Kahi: {error}")
            return ""
        if not all(map(is_possible, wanted.values())):
            parts = [possible(part) if isinstance(part, str) and part else part for part in parts]
            self._draft.warn(
                self._place, "process names hold characters that Kahi does not allow; they are replaced"
            )
        elif prefix:
            self._draft.warn(
                self._place,
                f"its processes are called {prefix}… in Kahi, where process names are unique over all groups",
            )
        return render(parts)


def within_bounds(result: draft.Draft, place: Place, priority: int) -> int:
    """A priority that Kahi takes."""
    found = max(0, min(priority, HIGHEST_PRIORITY))
    if found != priority:
        result.warn(
            place,
            f"{priority} is out of range in Kahi (0 to {HIGHEST_PRIORITY}); {found} is written, so that the "
            f"order among those at {found} is that of their names",
        )
    return found
