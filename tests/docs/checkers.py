"""For each language of a block, what has to be true of it. What is run as well is in other tests here."""

from __future__ import annotations

import ast
import configparser
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from kahi.config.loading import load
from kahi.config.schema import json_schema
from kahi.events import ProcessHealthEvent
from kahi.events.wire import wire_payload
from kahi.plugins import PluginManager
from kahi_migrate.supervisord.configuration import read as read_supervisord
from tests.docs import commandlines
from tests.docs.blocks import BLOCKS, Block
from tests.support import ROOT

VARIABLES = {
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/x",
    "PAGERDUTY_KEY": "R0123456789abcdefghijklmnopqrstu",
    "AUDIT_SECRET": "s",
    "AUDIT_TOKEN": "t",
    "KAHI_PASSWORD_HASH": "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "SHOP_PASSWORD": "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
}
"""What the documents take from the environment."""

INSTRUCTIONS = frozenset(
    {
        "FROM",
        "COPY",
        "RUN",
        "USER",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "CMD",
        "ENTRYPOINT",
        "WORKDIR",
        "STOPSIGNAL",
    }
)


def check_toml(block: Block, directory: Path) -> None:
    """A configuration loads without a warning, and its schema accepts it."""
    if "[project" in block.text:
        _check_project(block)
        return
    path = directory / "kahi.toml"
    path.write_text(block.text, encoding="utf-8")
    plugins = PluginManager()
    plugins.discover()
    sections = plugins.declare_sections()
    text = block.text
    if "[notify]" in text:
        # The example plugin's table, whose own test reads it.
        text = re.sub(r"\[notify\]\n(?:\w.*\n)*", "", text)
        path.write_text(text, encoding="utf-8")
    config = load(str(path), sections=sections, environ=VARIABLES)
    assert not config.warnings
    jsonschema.validate(tomllib.loads(text), json_schema(sections))


def _check_project(block: Block) -> None:
    """The entry point names a module that the page shows."""
    project = tomllib.loads(block.text)["project"]
    for module in project["entry-points"]["kahi.plugins"].values():
        shown = any(other.title == f"{module}.py" for other in BLOCKS if other.page == block.page)
        assert shown or list(ROOT.glob(f"examples/*/src/{module}")), module


def check_json(block: Block, directory: Path) -> None:
    """It is JSON."""
    for text in [block.text] if block.text.startswith("{\n") else block.text.splitlines():
        json.loads(text)


def check_yaml(block: Block, directory: Path) -> None:
    """It is YAML, and `kahi` understands its commands."""
    for words in _lists(yaml.safe_load(block.text)):
        if "kahi" in words:
            commandlines.understood(words[words.index("kahi") :])


def _lists(value: Any) -> list[list[str]]:
    if isinstance(value, dict):
        return [words for each in value.values() for words in _lists(each)]
    if isinstance(value, list):
        inner = [words for each in value for words in _lists(each)]
        return [*inner, value] if all(isinstance(each, str) for each in value) else inner
    return []


def check_python(block: Block, directory: Path) -> None:
    """It compiles, and what it imports is there. A test of its page runs it; see test_blocks.py."""
    tree = ast.parse(block.text)
    shown = {other.title.removesuffix(".py") for other in BLOCKS if other.page == block.page}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            modules = [node.module] if isinstance(node, ast.ImportFrom) else names
            if not {str(module) for module in modules} & {*shown, "kahi_notify"}:
                exec(compile(ast.Module([node], []), str(block), "exec"), {})


def check_ini(block: Block, directory: Path) -> None:
    """A unit of systemd whose command is understood, or a configuration that the migrator reads."""
    if block.title.endswith((".service", ".conf")) and "supervisord" not in block.title:
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read_string(block.text)
        assert set(unit.sections()) <= {"Unit", "Service", "Install"}
        if (start := unit.get("Service", "ExecStart", fallback="")) != "":
            commandlines.check(start)
        return
    path = directory / "supervisord.conf"
    path.write_text(block.text, encoding="utf-8")
    assert read_supervisord(str(path), {})


def check_dockerfile(block: Block, directory: Path) -> None:
    """Known instructions, files that are there or shown on the page, commands that are understood."""
    steps = [step.split(maxsplit=1) for step in block.text.replace("\\\n", " ").splitlines() if step.strip()]
    assert steps[0][0] == "FROM"
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", block.text, re.MULTILINE))
    for instruction, rest in steps:
        assert instruction in INSTRUCTIONS, instruction
        if instruction in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            words = json.loads(rest[rest.index("[") :])
            commandlines.understood(words)
        elif instruction == "COPY" and rest.startswith("--from="):
            assert rest.split()[0].removeprefix("--from=") in stages
        elif instruction == "COPY":
            source = rest.split()[0]
            shown = any(o.title.startswith(source) for o in BLOCKS if o.page == block.page)
            assert shown or (ROOT / source).exists() or source == "kahi.toml", source


def check_shell(block: Block, directory: Path) -> None:
    """A shell understands it, and `kahi` its commands."""
    commandlines.check(block.text)


def check_console(block: Block, directory: Path) -> None:
    """The same for lines that begin with a dollar sign. What is printed is compared where it is run."""
    typed = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
    assert typed
    commandlines.check("\n".join(typed))


def check_text(block: Block, directory: Path) -> None:
    """One of a few texts, each of which the program itself writes."""
    assert TEXTS[block.text.split()[0]](block.text)


def _is_payload(text: str) -> bool:
    event = ProcessHealthEvent(
        name="web", group="web", healthy=False, reason="answered 503 Service Unavailable"
    )
    return text.strip() == wire_payload(event)


def _is_marker(text: str) -> bool:
    source = (ROOT / "kahi-core/src/kahi/output/filewriter.py").read_text(encoding="utf-8")
    return re.sub(r"\d+", "{self._dropped}", text.strip()) in source


def _is_logrotate(text: str) -> bool:
    script = text.partition("postrotate\n")[2].partition("endscript")[0]
    commandlines.check(script)
    return "stdout_logfile_maxbytes = 0" in (ROOT / "docs/how-to/logs.md").read_text(encoding="utf-8")


TEXTS: dict[str, Callable[[str], bool]] = {
    "processname:web": _is_payload,
    "[kahi:": _is_marker,
    "/var/log/web.log": _is_logrotate,
}
"""What texts begin with, and what has to be true of them."""

CHECKERS: dict[str, Callable[[Block, Path], None]] = {
    "toml": check_toml,
    "json": check_json,
    "yaml": check_yaml,
    "python": check_python,
    "ini": check_ini,
    "dockerfile": check_dockerfile,
    "sh": check_shell,
    "console": check_console,
    "text": check_text,
}
