"""Write the generated part of the reference: ``python docs/generate.py DIRECTORY``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kahi.config.schema import json_schema
from kahi.plugins import PluginManager


def configuration() -> str:
    """Every key of every table, from the JSON Schema that the models give."""
    plugins = PluginManager()
    plugins.discover()
    schema = json_schema(plugins.declare_sections())
    lines = ["# Configuration", "", "Generated from the models. Sizes may be `64KB`, `50MB`, `1GB`.", ""]
    for name, table in schema["properties"].items():
        if name == "include":
            lines += ["## include", "", table["description"], ""]
            continue
        many = isinstance(table.get("additionalProperties"), dict)
        inner = table["additionalProperties"] if many else table
        lines += _table(f"{name}.NAME" if many else name, inner, schema["$defs"])
    return "\n".join(lines)


def _table(name: str, table: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    yield from (f"## `[{name}]`", "", "| key | default | |", "|---|---|---|")
    nested: list[tuple[str, dict[str, Any]]] = []
    for key, value in table["properties"].items():
        if "$ref" in value:
            nested.append((key, definitions[value["$ref"].rpartition("/")[2]]))
        default = json.dumps(value["default"]) if "default" in value else "required"
        yield f"| `{key}` | `{default}` | {value.get('description', '').replace('|', chr(92) + '|')} |"
    yield ""
    for key, inner in nested:
        yield from _table(f"{name}.{key}", inner, definitions)


def main() -> None:
    """Write all generated pages into the directory that is named."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "configuration.md").write_text(configuration(), encoding="utf-8")


if __name__ == "__main__":
    main()
