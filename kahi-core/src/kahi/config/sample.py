"""A sample configuration with every key, generated from the models so that it can not go stale."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from kahi.config.models import (
    EventListenerModel,
    FcgiProgramModel,
    GroupModel,
    ProgramModel,
    SupervisorSettings,
)
from kahi.config.values import Written
from kahi.hookspecs import ConfigSection

HEAD: Final = """\
# Configuration of Kahi, with every key at its default. Lines that begin with "#" are comments:
# remove the "#" in front of a key to change it.
# Sizes are bytes or "64KB", "50MB", "1GB"; times are seconds.

# Further files, relative to this one.
# include = ["conf.d/*.toml"]
"""

EXAMPLES: Final = {
    "command": "sleep 3600",
    "socket": "unix:///run/example.sock",
    "programs": ["example"],
}
"""Values for keys that have no default."""


def sample(sections: Iterable[ConfigSection] = ()) -> str:
    """The text of a configuration that loads, with one program.

    Args:
        sections: tables and program keys of plugins.
    """
    sections = sorted(sections, key=lambda section: section.name)
    in_program = [section for section in sections if section.in_program]
    parts = [HEAD, *_table("supervisor", SupervisorSettings, active=True)]
    for section in sections:
        if section.in_supervisor:
            # Behind the inner tables of [supervisor] its keys would be theirs: they come first.
            parts[2:2] = _keys(section.model)
    parts += _table("programs.example", ProgramModel, active=True)
    for section in in_program:
        parts += _table(f"programs.example.{section.name}", section.model, active=False)
    parts += _table("fcgi_programs.application", FcgiProgramModel, active=False, only_new=True)
    parts += _table("eventlisteners.listener", EventListenerModel, active=False, only_new=True)
    parts += _table("groups.examples", GroupModel, active=False)
    for section in sections:
        if not section.in_program and not section.in_supervisor:
            name = f"{section.name}.example" if section.many else section.name
            parts += _table(name, section.model, active=False)
    return "\n".join(parts) + "\n"


def _table(name: str, model: type[BaseModel], *, active: bool, only_new: bool = False) -> Iterator[str]:
    """The lines of one table; in an inactive one even the header is a comment.

    Args:
        only_new: leave out the keys that every program has, and say so.
    """
    mark = "" if active else "# "
    yield f"{mark}[{name}]"
    nested: list[tuple[str, FieldInfo]] = []
    if only_new:
        yield "# All keys of a program, and these:"
    for key, field in model.model_fields.items():
        if only_new and key in ProgramModel.model_fields:
            continue
        if _is_table(field):
            nested.append((key, field))
            continue
        yield from _key(key, field, active=active)
    yield ""
    for key, field in nested:
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"# {field.description}"
            yield from _table(f"{name}.{key}", field.annotation, active=False)
        else:
            yield f"# {field.description}"
            yield f"# [{name}.{key}]"
            yield ""


def _keys(model: type[BaseModel]) -> list[str]:
    """The lines of keys that stand in somebody else's table."""
    return [line for key, field in model.model_fields.items() for line in _key(key, field, active=True)]


def _key(key: str, field: FieldInfo, *, active: bool) -> Iterator[str]:
    yield f"# {field.description}"
    required = active and field.is_required()
    yield f"{'' if required else '# '}{key} = {written_default(key, field)}"


def _is_table(field: FieldInfo) -> bool:
    default = field.get_default(call_default_factory=True)
    return isinstance(default, (dict, BaseModel))


def written_default(key: str, field: FieldInfo) -> str:
    """The default of a key as it is written in a file; an example where that can not be."""
    value: Any = _example(key, field) if field.is_required() else field.get_default(call_default_factory=True)
    if value is None:
        # Unset, which can not be written: show what it may be.
        return json.dumps(_example(key, field))
    for mark in field.metadata:
        if isinstance(mark, Written):
            value = mark.by(value)
    if isinstance(value, SecretStr):
        # A default is no secret.
        return json.dumps(value.get_secret_value())
    if isinstance(value, (frozenset, tuple)):
        return json.dumps(sorted(value))  # pyright: ignore[reportUnknownArgumentType]
    return json.dumps(value)


def _example(key: str, field: FieldInfo) -> Any:
    """A value for a key that has no default, or one that can not be written."""
    return EXAMPLES.get(key, "") if field.examples is None else field.examples[0]
