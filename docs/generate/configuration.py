"""Write the generated part of the reference: ``python docs/generate.py DIRECTORY``."""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from kahi.cli.entry import commands
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


def command_line() -> str:
    """Every command with its arguments and options, from the commands themselves."""
    lines = ["# Command line", "", "Generated from the commands.", ""]
    lines += _command(click.Context(commands, info_name="kahi"))
    return "\n".join(lines)


def _command(context: click.Context, above: Sequence[str] = ()) -> Iterator[str]:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"## `{context.command_path}`", "", f"    {usage}", "")
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        # A paragraph with this mark in front keeps its lines.
        kept = paragraph.removeprefix("\b\n")
        yield from (paragraph if kept == paragraph else textwrap.indent(kept, "    "), "")
    own = [option for option in command.params if isinstance(option, click.Option)]
    own = [option for option in own if option.opts[-1] not in above]
    if own:
        yield from ("| option | |", "|---|---|")
        for option in own:
            names, text = option.get_help_record(context) or ("", "")
            yield f"| `{names}` | {text} |"
        yield ""
    if above:
        yield from (f"And the options of `{context.parent.command_path if context.parent else ''}`.", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _command(
                click.Context(found, context, info_name=name), [option.opts[-1] for option in own]
            )


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


def hooks() -> str:
    """Every hook of core and of the installed plugins, from the specifications."""
    plugins = PluginManager()
    plugins.discover()
    lines = ["# Hooks", ""]
    for owner, namespace in plugins.specifications:
        lines += [f"## Hooks of {owner or 'core'}", "", inspect.getdoc(namespace) or "", ""]
        for name, function in vars(namespace).items():
            if hasattr(function, "kahi_spec"):
                kind = "coroutine" if inspect.iscoroutinefunction(function) else "plain function"
                arguments = ", ".join(inspect.signature(function).parameters)
                lines += [f"### `{name}({arguments})`", "", f"A {kind}.", ""]
                lines += ["```text", inspect.getdoc(function) or "", "```", ""]
    return "\n".join(lines)


def main() -> None:
    """Write all generated pages into the directory that is named."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "configuration.md").write_text(configuration(), encoding="utf-8")
    (directory / "hooks.md").write_text(hooks(), encoding="utf-8")
    (directory / "command-line.md").write_text(command_line(), encoding="utf-8")


if __name__ == "__main__":
    main()
