"""What the documents show works."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path

import click
import jsonschema
import pytest

import kahi.testing
from kahi.cli.entry import CORE, commands
from kahi.config.loading import load
from kahi.config.models import BackoffModel, FcgiProgramModel, GroupModel, SupervisorSettings
from kahi.config.sample import sample
from kahi.config.schema import json_schema
from kahi.hookspecs import ConfigSection
from kahi.plugins import PluginManager
from kahi.testing import Running
from kahi_api.ctl.group import COMMANDS
from kahi_api.routes import ENDPOINTS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(text, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, text in enumerate(
        re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    )
]

VARIABLES = {
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/x",
    "PAGERDUTY_KEY": "R0123456789abcdefghijklmnopqrstu",
    "AUDIT_SECRET": "s",
    "AUDIT_TOKEN": "t",
    "KAHI_PASSWORD_HASH": "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
}
"""What the documents take from the environment."""


@pytest.fixture(scope="module")
def sections() -> tuple[ConfigSection, ...]:
    """Tables of all official plugins."""
    plugins = PluginManager()
    plugins.discover()
    return plugins.declare_sections()


@pytest.mark.parametrize("text", BLOCKS)
def test_configurations_load_without_a_warning(
    text: str, tmp_path: Path, sections: tuple[ConfigSection, ...]
) -> None:
    path = tmp_path / "kahi.toml"
    path.write_text(text)
    config = load(str(path), sections=sections, environ=VARIABLES)
    assert config.groups
    assert not config.warnings


@pytest.mark.parametrize("text", [*BLOCKS, pytest.param(sample(), id="sample")])
def test_the_schema_accepts_what_loads(text: str, sections: tuple[ConfigSection, ...]) -> None:
    schema = json_schema(sections)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(text), schema)


def test_the_schema_refuses_mistakes() -> None:
    schema = json_schema()
    for table in (
        {"command": 3},
        {},
        {"command": "x", "startsecs": "soon"},
        {"command": "x", "autostrat": 1},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"programs": {"web": table}}, schema)


def test_the_generated_reference_has_every_key(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", tmp_path], check=True)
    text = (tmp_path / "configuration.md").read_text(encoding="utf-8")
    for model in (SupervisorSettings, FcgiProgramModel, GroupModel, BackoffModel):
        for key in model.model_fields:
            assert f"| `{key}` |" in text
    assert "## `[server.unix]`" in text


def test_the_generated_reference_has_every_option(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", tmp_path], check=True)
    text = (tmp_path / "command-line.md").read_text(encoding="utf-8")
    for name in CORE:
        assert f"## `kahi {name}`" in text
    for name in COMMANDS:
        assert f"## `kahi ctl {name}`" in text
    for option in ("--no-wait", "--watch", "--types A,B", "-p, --password PASSWORD", "--algorithm"):
        assert option in text


def _command_lines() -> list[str]:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("kahi ")]


@pytest.mark.parametrize("line", _command_lines())
def test_command_lines_are_understood(line: str) -> None:
    context = click.Context(commands, info_name="kahi")
    words = shlex.split(line)[1:]
    while isinstance(context.command, click.Group):
        _, command, words = context.command.resolve_command(context, words)
        assert command is not None
        context = command.make_context(command.name, words, parent=context)
        words = [*context._protected_args, *context.args]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_command_and_route_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name in CORE:
        assert f"kahi {name}" in text
    rows = "".join(line.partition(" |")[0] for line in text.splitlines() if line.startswith("| `kahi ctl"))
    for name in COMMANDS:
        assert re.search(rf"\b{name}\b", rows), name
    for endpoint in ENDPOINTS:
        last = endpoint.path.replace("{name}/log/{stream}", "{name}/log/{stdout,stderr}")
        assert endpoint.path in text or last in text or endpoint.path.rpartition("/")[2] in text, (
            endpoint.path
        )


def test_the_reference_names_no_command_that_is_not_there() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for words in re.findall(r"^\| `kahi ctl ([a-z\\|]+)", text, re.MULTILINE):
        assert set(words.replace("\\", "").split("|")) <= set(COMMANDS)
    for words in re.findall(r"^\| `kahi ((?!ctl)[a-z-]+)", text, re.MULTILINE):
        assert (
            subprocess.run(
                [sys.executable, "-m", "kahi", words, "--help"], capture_output=True, check=False
            ).returncode
            == 0
        )


def test_every_hook_is_in_the_generated_reference(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "generate.py", tmp_path], check=True)
    text = (tmp_path / "hooks.md").read_text(encoding="utf-8")
    plugins = PluginManager()
    plugins.discover()
    for _, namespace in plugins.specifications:
        for name, function in vars(namespace).items():
            if hasattr(function, "kahi_spec"):
                assert f"### `{name}({', '.join(inspect.signature(function).parameters)})`" in text
                assert "Called" in function.__doc__, f"{name} does not say when it is called"
                assert "xception" in function.__doc__, f"{name} does not say what an exception does"
                assert "0.1" in function.__doc__, f"{name} does not say since when it is there"


def test_the_plugin_of_the_document_is_one() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    plugin = types.ModuleType("kahi_notify")
    exec(found[1], vars(plugin))
    plugins = PluginManager()
    plugins.register(plugin, "notify")
    assert [section.name for section in plugins.declare_sections()] == ["notify"]
    assert [service.name for _, service in plugins.services(None)] == ["writer"]  # type: ignore[arg-type]
    assert plugins.list()[0].status == "active"


def test_the_tests_of_the_document_pass(
    supervise: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    code, tests = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    plugin = types.ModuleType("kahi_notify")
    exec(code, vars(plugin))
    monkeypatch.setitem(sys.modules, "kahi_notify", plugin)
    found: dict[str, Callable[..., None]] = {}
    exec(tests, found)
    found["test_it_is_a_plugin"]()
    found["test_who_gives_up_is_noted"](supervise, tmp_path)


def test_the_kit_for_tests_is_documented_whole() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for name in (*kahi.testing.__all__, *vars(Running)):
        if not name.startswith("_") and name not in ("Running", "context", "directory"):
            assert re.search(rf"`(clock\.|.*kahi\.testing\.)?{name}\b", text), name
