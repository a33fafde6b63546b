"""What the translation of each section works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kahi.errors import nearest
from kahi_migrate.draft import Draft, Place, Remark, Table
from kahi_migrate.draft import Value as TomlValue
from kahi_migrate.supervisord import ini, template
from kahi_migrate.supervisord.configuration import Configuration, Value
from kahi_migrate.supervisord.layout import Section, comment_behind, comments_between, cuts
from kahi_migrate.supervisord.names import Names
from kahi_migrate.supervisord.options import options
from kahi_migrate.supervisord.resolved import Resolved
from kahi_migrate.supervisord.text import Speaker
from kahi_migrate.writing import write_value

SECRET = frozenset({"password"})


@dataclass(slots=True)
class Context:
    """Source and result.

    Args:
        directory: where the result will be.
    """

    configuration: Configuration
    resolved: Resolved
    draft: Draft
    directory: str
    names: Names
    environ: Mapping[str, str]

    def speaker(self) -> Speaker:
        """A speaker for one section."""
        return Speaker(self.configuration, self.directory, self.draft.variables)

    def section_place(self, section: str) -> Place:
        """Where a section begins."""
        found = self.configuration.first[section]
        return Place(found.file, found.line, f"[{section}]")

    def environ_of_programs(self) -> dict[str, str]:
        """What the values of programs may refer to; what is not set here stands for itself."""
        unset = {each.variable: f"${{{each.variable}}}" for each in self.resolved.unset}
        return {**unset, **self.environ, **self.resolved.daemon.environment}

    def warn_if_fixed(self, value: Value, computed: TomlValue) -> None:
        """Say that a value referred to something, and is the same for ever from now on."""
        written = write_value(computed)
        unset = [each.variable for each in self.resolved.unset if each.value.setting is value.setting]
        if unset:
            self.draft.warn(
                place_of(value),
                f"depends on the variable {unset[0]}, which is not set here, and Kahi expands names in text "
                f"only; {written} is written, correct it",
            )
        elif any(isinstance(piece, template.Name) for piece in template.parse(value.text)):
            self.draft.warn(
                place_of(value),
                "refers to something that may change, and Kahi expands names in text only; "
                f"{written} is written, which is what it is here and now",
            )


def place_of(value: Value) -> Place:
    """Where a value stands."""
    return Place(value.file, value.setting.line, f"[{value.section}] {value.setting.key}")


def source_text(value: Value) -> str:
    """A setting as it stands in the source, without what is secret."""
    key = value.setting.key
    return f"{key} = {'********' if key in SECRET else value.setting.value}"


Take = Callable[[Value, str], None]
"""Translates one setting, which has that comment behind it."""


def fill(context: Context, table: Table, sections: list[Section], take: Take) -> None:
    """Go through the settings of a section in their order, comments included, inherited ones last.

    Args:
        sections: all places at which the section stands.
    """
    name = sections[0].block.name
    known = options(name)
    own = context.configuration.sections[name]
    table.before += sections[0].before
    table.comment = sections[0].block.comment[1:].strip()
    for section in sections:
        if section is not sections[0]:
            table.items += [Remark(""), *section.before]
        for item in section.items:
            if isinstance(item, ini.Remark):
                table.remark(item.text[1:])
                continue
            if item.key != "environment":
                # There, each has its place beside a variable.
                table.items += comments_between(item)
            value = own[item.key]
            if value.setting is not item:
                continue
            _warn_of_cuts(context.draft, value)
            if known is not None and item.key not in known:
                hint = nearest(item.key, known)
                context.draft.unsupported(
                    table, place_of(value), source_text(value), f"supervisord does not know it either{hint}"
                )
            else:
                take(value, comment_behind(item))
        table.after += section.after
    there = {setting.key for section in sections for setting in section.block.settings}
    for key in context.configuration.keys(name):
        value = context.configuration.get(name, key)
        if key not in there and value is not None and known is not None and key in known:
            take(value, "")


def _warn_of_cuts(draft: Draft, value: Value) -> None:
    for line, why in cuts(value.setting):
        place = Place(value.file, line.number, f"[{value.section}] {value.setting.key}")
        draft.warn(
            place,
            f"the value ends where a comment begins, {why}: supervisord never saw what follows, and neither "
            "will Kahi; write it behind the value in the result if it was meant",
        )
