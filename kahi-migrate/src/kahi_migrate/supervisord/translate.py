"""From a supervisord configuration to a draft of Kahi's, section by section in their order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from kahi_migrate.draft import Draft, Note, Place, Remark, Table
from kahi_migrate.supervisord import ini
from kahi_migrate.supervisord.configuration import Configuration, Value
from kahi_migrate.supervisord.context import Context, fill, place_of, source_text
from kahi_migrate.supervisord.daemon import SECTION as SUPERVISORD
from kahi_migrate.supervisord.daemon import DaemonTranslation
from kahi_migrate.supervisord.expected import expected_processes
from kahi_migrate.supervisord.fastcgi import FastCgiTranslation
from kahi_migrate.supervisord.layout import Section, converted, lay_out
from kahi_migrate.supervisord.listeners import ListenerTranslation
from kahi_migrate.supervisord.logs import plan_logs
from kahi_migrate.supervisord.names import find_names, key
from kahi_migrate.supervisord.options import family
from kahi_migrate.supervisord.programs import ProgramTranslation, within_bounds
from kahi_migrate.supervisord.resolve import MAIN_RPC_INTERFACE
from kahi_migrate.supervisord.resolved import Kind, Program, Resolved
from kahi_migrate.supervisord.servers import translate_server

INCLUDED: Final = (
    "what it matched is part of the result; files that come later are not read: write them as TOML and say "
    'include = ["conf.d/*.toml"]'
)
DEFAULTS: Final = "Kahi has no defaults for all tables: they are written out in each"
NO_XML_RPC: Final = "Kahi has a REST API in place of XML-RPC; programs that speak XML-RPC have to be changed"

_TRANSLATIONS: Final[Mapping[Kind, type[ProgramTranslation]]] = {
    "program": ProgramTranslation,
    "fcgi-program": FastCgiTranslation,
    "eventlistener": ListenerTranslation,
}


def translate(
    configuration: Configuration, resolved: Resolved, directory: str, environ: Mapping[str, str]
) -> Draft:
    """Say everything in Kahi's words.

    Args:
        resolved: what supervisord makes of it, without problems.
        directory: where the result will be.
    """
    draft = Draft(configuration.path)
    context = Context(configuration, resolved, draft, directory, find_names(resolved.groups), environ)
    _Translation(context).run()
    draft.expected = expected_processes(context)
    return draft


class _Translation:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._draft = context.draft
        self._places: dict[str, list[Section]] = {}
        self._groups = context.resolved.groups
        members = [p for group in self._groups if not group.shadowed_by for p in group.programs]
        self._plans = plan_logs(members, lambda program: context.names.programs[key(program)])
        self._servers = {server.section: server for server in context.resolved.servers}

    def run(self) -> None:
        """Translate all sections."""
        context = self._context
        laid_out = [lay_out(file) for file in context.configuration.files]
        for _, sections in laid_out:
            for section in sections:
                self._places.setdefault(section.block.name, []).append(section)
        for file, (head, sections) in zip(context.configuration.files, laid_out, strict=True):
            if file.path != context.configuration.path:
                name = os.path.relpath(file.path, context.configuration.here)
                self._draft.items += [Remark(""), Remark(f"From {name}"), Remark("")]
            self._draft.items += head
            for section in sections:
                if section is self._places[section.block.name][0]:
                    self._section(section.block.name)
        self._say_what_was_noticed()

    def _section(self, name: str) -> None:
        places = self._places[name]
        match family(name):
            case "supervisord":
                DaemonTranslation(self._context).translate(places)
            case "unix_http_server" | "inet_http_server" as kind:
                self._server(name, kind, places)
            case "program" | "fcgi-program" | "eventlistener":
                self._program(name, places)
            case "group":
                self._group(name, places)
            case "rpcinterface":
                self._rpc_interface(name, places)
            case "include":
                self._note(name, "files", INCLUDED)
                self._comments(places, lambda _table, _value: None)
            case "supervisorctl":
                self._client(places)
            case "ctlplugin":
                self._left_out(name, places, "kahi ctl has no such plugins")
            case _ if name == ini.DEFAULT:
                self._draft.note(self._context.section_place(name), DEFAULTS)
                self._comments(places, lambda _table, _value: None)
            case _:
                self._left_out(name, places, "supervisord does not know this section either")

    def _server(self, name: str, kind: str, places: list[Section]) -> None:
        first = next(server.section for server in self._servers.values() if server.section.startswith(kind))
        if name == first:
            translate_server(self._context, self._servers[name], places)
        else:
            self._left_out(name, places, f"Kahi has one such server, and [{first}] is it")

    def _program(self, name: str, places: list[Section]) -> None:
        found = [program for group in self._groups for program in group.programs if program.section == name]
        running = [program for program in found if key(program) in self._context.names.programs]
        if not running:
            by = next(group.shadowed_by for group in self._groups if found[0] in group.programs)
            self._left_out(name, places, f"supervisord never runs it: [{by}] has the name of its group")
            return
        for program in running:
            if program is not running[0]:
                self._draft.warn(
                    self._context.section_place(name),
                    f"is in group {running[0].group!r} as well; in Kahi a program is in one group, so there "
                    f"is a second one, {self._context.names.programs[key(program)]!r}",
                )
            self._warn_of_name(program)
            _TRANSLATIONS[program.kind](self._context, program, self._plans).translate(
                places if program is running[0] else _without_comments(places)
            )

    def _warn_of_name(self, program: Program) -> None:
        name = self._context.names.programs[key(program)]
        if name != program.name:
            self._draft.warn(self._context.section_place(program.section), f"is called {name!r} in Kahi")

    def _group(self, name: str, places: list[Section]) -> None:
        group = next(group for group in self._groups if group.section == name)
        if group.shadowed_by:
            reason = f"supervisord never runs it: [{group.shadowed_by}] has the same name"
            self._left_out(name, places, reason)
            return
        names = self._context.names
        place = self._context.section_place(name)
        if names.groups[group.name] != group.name:
            self._draft.warn(place, f"is called {names.groups[group.name]!r} in Kahi")
        table = self._draft.table("groups", names.groups[group.name], place=place)

        def take(value: Value, comment: str) -> None:
            if value.setting.key == "programs":
                programs = list(dict.fromkeys(names.programs[key(program)] for program in group.programs))
                table.set("programs", programs, place_of(value), comment)
            else:
                priority = within_bounds(self._draft, place_of(value), group.priority)
                self._context.warn_if_fixed(value, priority)
                table.set("priority", priority, place_of(value), comment)

        fill(self._context, table, places, take)
        if table.get("programs") is None:
            table.set("programs", [])

    def _rpc_interface(self, name: str, places: list[Section]) -> None:
        factory = self._context.configuration.get(name, "supervisor.rpcinterface_factory")
        if factory is None or factory.text != MAIN_RPC_INTERFACE:
            self._left_out(name, places, "Kahi has no XML-RPC; its plugins add routes to its REST API")
            return
        self._note(name, "supervisor.rpcinterface_factory", NO_XML_RPC)
        self._comments(places, lambda _table, _value: None)

    def _client(self, places: list[Section]) -> None:
        """``[supervisorctl]``: `kahi ctl` finds the socket in the same configuration as the daemon."""
        urls = {f"unix://{server.file}" for server in self._servers.values() if server.file}

        def take(table: Table, value: Value) -> None:
            match value.setting.key:
                case "serverurl" if value.text not in urls:
                    self._draft.note(
                        place_of(value),
                        "kahi ctl speaks to the socket of [server.unix], or to that of -s or $KAHI_SOCKET",
                    )
                case "serverurl" | "username" | "password":
                    pass
                case _:
                    self._draft.unsupported(
                        table, place_of(value), source_text(value), "kahi ctl has no such setting"
                    )

        self._comments(places, take)

    def _comments(self, places: list[Section], take: Callable[[Table, Value], None]) -> None:
        """Keep the comments of a section that has no table."""
        name = places[0].block.name
        scratch = Table(("",), self._context.section_place(name))
        if name == ini.DEFAULT:
            for place in places:
                remarks = [item for item in place.items if isinstance(item, ini.Remark)]
                scratch.items += [*place.before, *converted(remarks), *place.after]
        else:
            fill(self._context, scratch, places, lambda value, _comment: take(scratch, value))
        remarks = [item for item in scratch.items if isinstance(item, Remark)]
        if any(remark.text for remark in (*scratch.before, *remarks, *scratch.after)):
            self._draft.items += [Remark(""), *scratch.before, *remarks, *scratch.after, Remark("")]

    def _left_out(self, name: str, places: list[Section], reason: str) -> None:
        """Write a whole section as a comment."""
        self._draft.warn(self._context.section_place(name), f"left out: {reason}")
        for place in places:
            remarks = [Remark(f"unsupported: [{name}] ({reason})")]
            for item in place.items:
                if isinstance(item, ini.Remark):
                    remarks.append(Remark(item.text[1:]))
                else:
                    value = Value(item.value, item, place.file, name)
                    remarks.append(Remark(" ".join(source_text(value).split())))
            self._draft.items += [Remark(""), *place.before, *remarks, *place.after, Remark("")]

    def _note(self, section: str, option: str, message: str) -> None:
        value = self._context.configuration.get(section, option)
        assert value is not None
        self._draft.note(place_of(value), message)

    def _say_what_was_noticed(self) -> None:
        configuration, resolved = self._context.configuration, self._context.resolved
        self._draft.notes += [Note("warning", problem) for problem in configuration.warnings]
        if SUPERVISORD not in configuration.sections:
            self._draft.warn(
                Place(configuration.path, 1),
                "there is no [supervisord] section, without which supervisord does not start",
            )
        self._draft.unset |= {unset.variable for unset in resolved.unset}
        for unset in resolved.unset:
            self._draft.note(
                place_of(unset.value),
                f"refers to the variable {unset.variable}, which is not set here; without it, neither "
                "supervisord nor Kahi starts",
            )


def _without_comments(places: list[Section]) -> list[Section]:
    return [
        Section(
            place.file, place.block, [], [item for item in place.items if isinstance(item, ini.Setting)], []
        )
        for place in places
    ]
