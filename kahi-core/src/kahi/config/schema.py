"""A JSON Schema of the configuration, for editors, from the same models that read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel

from kahi.config.loading import PROGRAM_TABLES
from kahi.config.models import GroupModel, SupervisorSettings
from kahi.hookspecs import ConfigSection

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(sections: Iterable[ConfigSection] = ()) -> dict[str, Any]:
    """The schema of a whole configuration file.

    Args:
        sections: tables and program keys of plugins.
    """
    sections = sorted(sections, key=lambda section: section.name)
    definitions: dict[str, Any] = {}
    in_program = {s.name: _model(s.model, definitions) for s in sections if s.in_program}
    supervisor = _model(SupervisorSettings, definitions)
    for section in sections:
        if section.in_supervisor:
            supervisor["properties"] |= _model(section.model, definitions)["properties"]
    properties: dict[str, Any] = {
        "include": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Patterns of further files, relative to this one.",
        },
        "supervisor": supervisor,
        "groups": _many(_model(GroupModel, definitions)),
    }
    for table, model in PROGRAM_TABLES.items():
        program = _model(model, definitions)
        program["properties"] |= in_program
        properties[table] = _many(program)
    for section in sections:
        if not section.in_program and not section.in_supervisor:
            table = _model(section.model, definitions)
            properties[section.name] = _many(table) if section.many else table
    return {
        "$schema": DIALECT,
        "title": "Configuration of Kahi",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _model(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    definitions |= schema.pop("$defs", {})
    schema["additionalProperties"] = False
    return schema


def _many(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}
