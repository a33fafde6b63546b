"""Every key of every table, from the models that read the configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.generate.markdown import code, heading, table
from kahi.config.models import (
    EventListenerModel,
    FcgiProgramModel,
    GroupModel,
    ProgramModel,
    SupervisorSettings,
)
from kahi.config.sample import written_default
from kahi.config.schema import json_schema
from kahi.hookspecs import ConfigSection
from kahi.plugins import PluginManager

HEAD: Final = """\
# Configuration

Generated from the models that read the configuration. `kahi init` prints the same as a file to begin with,
`kahi check --schema` as a JSON Schema for editors.

Sizes are bytes or text such as `"64KB"`, `"50MB"`, `"1GB"`; times are seconds. `${NAME}` and
`${NAME:-default}` take text from the environment, `$$` is a dollar sign; `%(here)s` is the directory of the
file, `%(program_name)s`, `%(group_name)s`, `%(process_num)d` and `%(numprocs)d` tell of the process, and
`%%` is a percent sign. Keys that nobody knows are warned of, and are errors with `strict = true`.
"""


def page() -> str:
    """The page."""
    sections = _sections()
    schema = json_schema(sections)
    lines = [HEAD, "## `include` { #include }", "", schema["properties"]["include"]["description"], ""]
    supervisor = [each for each in sections if each.in_supervisor]
    lines += _table("supervisor", SupervisorSettings, added=[each.model for each in supervisor])
    lines += _table("programs.NAME", ProgramModel)
    for section in sections:
        if section.in_program:
            lines += _table(f"programs.NAME.{section.name}", section.model)
    lines += _table("fcgi_programs.NAME", FcgiProgramModel, besides=ProgramModel)
    lines += _table("eventlisteners.NAME", EventListenerModel, besides=ProgramModel)
    lines += _table("groups.NAME", GroupModel)
    for section in sections:
        if not section.in_program and not section.in_supervisor:
            lines += _table(f"{section.name}.NAME" if section.many else section.name, section.model)
    return "\n".join(lines)


def anchor(name: str) -> str:
    """What links call a table: ``programs-health`` for ``programs.NAME.health``."""
    return "-".join(part for part in name.split(".") if part != "NAME")


def _sections() -> tuple[ConfigSection, ...]:
    plugins = PluginManager()
    plugins.discover()
    return tuple(sorted(plugins.declare_sections(), key=lambda section: section.name))


def _table(
    name: str,
    model: type[BaseModel],
    *,
    besides: type[BaseModel] | None = None,
    added: Sequence[type[BaseModel]] = (),
) -> Iterator[str]:
    """One table, and those inside of it.

    Args:
        besides: a model whose keys are all there as well, and are described elsewhere.
        added: models whose keys stand in the same table.
    """
    yield from heading(2, f"`[{name}]`", anchor(name))
    if besides is not None:
        yield from ("All keys of [`[programs.NAME]`](#programs), and these:", "")
    schema = model.model_json_schema()
    known = frozenset[str]() if besides is None else frozenset(besides.model_fields)
    fields = {key: field for key, field in model.model_fields.items() if key not in known}
    rows = list(_rows(name, fields, schema))
    for more in added:
        rows += _rows(name, more.model_fields, more.model_json_schema())
    yield from table(("key", "type", "default", "what it does"), rows)
    for key, field in fields.items():
        if (inner := _inner(field)) is not None:
            yield from _table(f"{name}.{key}", inner)


def _rows(name: str, fields: dict[str, FieldInfo], schema: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, field in fields.items():
        meaning = field.description or ""
        if _inner(field) is not None:
            link = f"[`[{name}.{key}]`](#{anchor(f'{name}.{key}')})"
            yield code(key), "table", "", f"{meaning} See {link}."
        else:
            kind = _type(schema["properties"].get(field.alias or key, {}), schema.get("$defs", {}))
            yield code(key), kind, _default(key, field), meaning


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a table inside of a table."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.get_default(call_default_factory=True) is None:
        return "unset"
    return code(written_default(key, field))


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in schema:
        return _type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return " or ".join(code(json.dumps(value)) for value in schema["enum"])
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "anyOf" in schema:
        return " or ".join(_distinct(_type(each, definitions) for each in schema["anyOf"]))
    if isinstance(schema.get("type"), list):
        return " or ".join(_distinct(_type({**schema, "type": each}, definitions) for each in schema["type"]))
    match schema.get("type"):
        case "integer" | "number":
            return _number(schema)
        case "array":
            return f"list of {_type(schema.get('items', {}), definitions) or 'values'}"
        case "boolean":
            return "`true` or `false`"
        case "string":
            return "text"
        case "object":
            return "table"
        case _:
            return ""


def _number(schema: dict[str, Any]) -> str:
    kind = "whole number" if schema["type"] == "integer" else "number"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{kind}, {least} to {most}"
    if least is not None:
        return f"{kind}, at least {least}"
    if "exclusiveMinimum" in schema:
        return f"{kind}, above {schema['exclusiveMinimum']}"
    return kind


def _distinct(words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word and word != "null"]
