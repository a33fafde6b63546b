"""``environment`` values: cut into variables as supervisord cuts them, and said in Kahi's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kahi.config.expansion import ExpansionError, expand
from kahi_migrate.draft import Place, Remark, Table
from kahi_migrate.expression import Part, Reference, render
from kahi_migrate.supervisord import values
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context
from kahi_migrate.supervisord.ini import Setting
from kahi_migrate.supervisord.text import Inexpressible, Speaker


@dataclass(frozen=True, slots=True)
class Spoken:
    """A variable in Kahi's words; ``line`` counts from the first of the value, ``lost`` see values.

    Args:
        again: it stands there more than once, and this is the one that counts.
    """

    key: str
    parts: list[Part]
    line: int
    lost: str
    again: bool = False


def speak(speaker: Speaker, text: str, *, twice: bool = False) -> list[Spoken]:
    """The variables of a value.

    supervisord expands first and cuts afterwards. Here the references stay, so what they stand for
    must not have a say in where a variable ends; ``checked`` finds out.

    Raises:
        Inexpressible: without the contents of a variable it can not be told what is set.
    """
    parts = speaker.parts(text, twice=twice)
    mark = "reference"
    while mark in text:
        mark += "x"
    marked = "".join(part if isinstance(part, str) else f"{mark}{index}x" for index, part in enumerate(parts))
    found = re.compile(rf"{mark}(\d+)x")

    def unmarked(word: str) -> list[Part]:
        return [part if index % 2 == 0 else parts[int(part)] for index, part in enumerate(found.split(word))]

    try:
        variables = values.environment(marked)
    except ValueError:
        raise Inexpressible("what is set depends on the content of variables") from None
    spoken: dict[str, Spoken] = {}
    for variable in variables:
        key = render(unmarked(variable.key))
        spoken[key] = Spoken(key, unmarked(variable.value), variable.line, variable.lost, key in spoken)
    return list(spoken.values())


def checked(
    spoken: Iterable[Spoken],
    expected: Mapping[str, str],
    names: Mapping[str, str | int],
    environ: Mapping[str, str],
) -> tuple[list[Spoken], list[str]]:
    """The variables that Kahi will set to what supervisord sets, and the names of the others.

    Args:
        expected: what supervisord sets with the names and variables as they are here.
    """
    good: list[Spoken] = []
    for each in spoken:
        try:
            key, value = (expand(text, names, environ) for text in (each.key, render(each.parts)))
        except ExpansionError:
            continue
        refers = any(isinstance(part, Reference) and part.text.startswith("$") for part in each.parts)
        if expected.get(key) == value:
            good.append(replace(each, key=key))
        elif key in expected and not refers:
            good.append(replace(each, key=key, parts=[expected[key]]))
    missing = [key for key in expected if key not in {each.key for each in good}]
    return good, missing


def write(context: Context, table: Table, value: Value, spoken: Iterable[Spoken]) -> None:
    """Fill the table of variables, comments beside those that they stood beside."""
    setting = value.setting
    remarks = list(setting.remarks)
    for each in spoken:
        line = setting.lines[min(each.line, len(setting.lines) - 1)]
        while remarks and remarks[0].number < line.number:
            table.remark(remarks.pop(0).text[1:])
        place = Place(value.file, line.number, f"[{value.section}] environment")
        table.set(each.key, render(each.parts), place)
        if each.again:
            context.draft.warn(place, f"{each.key} is set more than once; the last value counts")
        if each.lost:
            context.draft.warn(
                place,
                f"the value of {each.key} ends before supervisord expects a comma; what is there is lost, "
                "as it was under supervisord; quote the value in the result if it was meant whole",
            )
    for remark in remarks:
        table.remark(remark.text[1:])
    _comments_behind(setting, table)


def _comments_behind(setting: Setting, table: Table) -> None:
    """Put each comment behind the last variable of its line."""
    for line in setting.lines:
        if not line.comment:
            continue
        entries = [entry for entry in table.entries() if entry.place.line == line.number]
        if entries:
            entries[-1].comment = line.comment[1:].strip()
        else:
            table.items.insert(0, Remark(line.comment[1:]))
