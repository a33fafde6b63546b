"""The generated pages hold everything that there is, and nothing else."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import jsonschema
import pytest

from benchmarks import report
from benchmarks.__main__ import write
from benchmarks.campaign import Outcome
from docs.generate import benchmarks, configuration, diagram, hookvalues, lifecycle
from docs.generate.site import FRAGMENTS, PAGES, completed
from kahi.cli import exitcodes
from kahi.cli.entry import commands
from kahi.config.models import BackoffModel, FcgiProgramModel, GroupModel, SupervisorSettings
from kahi.config.sample import sample
from kahi.config.schema import json_schema
from kahi.events import TYPES
from kahi.lifecycle import TRANSITIONS, Circumstances, Record, Refused, State
from kahi.plugins import PluginManager
from kahi_api.errors import CODES, STATUS
from kahi_api.objects import ProcessObject
from kahi_api.routes import ENDPOINTS
from kahi_metrics.families import STATES
from tests.docs.blocks import DOCS
from tests.metrics.test_rendering import OF_WEBHOOKS, SPECIFIED
from tests.support import ROOT
from tests.test_boundaries import FLOORS


@cache
def page(name: str) -> str:
    """A generated page."""
    return PAGES[f"reference/{name}.md"]()


def sections() -> PluginManager:
    plugins = PluginManager()
    plugins.discover()
    return plugins


def test_every_key() -> None:
    text = page("configuration")
    for model in (SupervisorSettings, FcgiProgramModel, GroupModel, BackoffModel):
        for key in model.model_fields:
            assert f"| `{key}` |" in text
    for section in sections().declare_sections():
        if not section.in_program and not section.in_supervisor:
            assert f"{{ #{section.name} }}" in text
        for key in section.model.model_fields:
            assert f"| `{key}` |" in text
    assert "## `[server.unix]` { #server-unix }" in text
    assert '| `umask` | text or whole number | `"022"` |' in text
    assert "| `environment` | table | `{}` |" in text


def test_no_key_lacks_its_meaning() -> None:
    for line in page("configuration").splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|  |"), line
            assert line.split(" | ")[1], line


def test_the_schema_accepts_the_sample() -> None:
    schema = json_schema(sections().declare_sections())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(sample()), schema)


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


def _all_commands(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from _all_commands(click.Context(command, context, info_name=name))


def test_every_command_with_every_option() -> None:
    text = page("command-line")
    for context in _all_commands(click.Context(commands, info_name="kahi")):
        assert f"`{context.command_path}` {{ #{context.command_path.replace(' ', '-')} }}" in text
        for option in context.command.params:
            if isinstance(option, click.Option):
                assert option.opts[-1] in text


def test_every_exit_code_means_something() -> None:
    numbers = {value for name, value in vars(exitcodes).items() if name.isupper() and isinstance(value, int)}
    assert numbers == set(exitcodes.MEANINGS)
    for number in numbers:
        assert f"| `{number}` |" in page("exit-codes")


def test_every_route_and_object() -> None:
    text = page("api")
    for endpoint in ENDPOINTS:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", endpoint.path)
        assert f"### `{endpoint.method} {path}` {{" in text
    for field in ProcessObject.__annotations__:
        assert f"| `{field}` |" in text


def test_every_error_of_the_api() -> None:
    for status, word in (*STATUS.values(), *CODES.items()):
        assert re.search(rf"^\| {status} [^|]+\| `{word}` \|", page("errors"), re.MULTILINE), word


def test_every_event() -> None:
    text = page("events")
    for name in TYPES:
        assert f"| [`{name}`](#" in text
        assert text.count(f"`{name}`") + text.count(name.replace("_STATE_", "_STATE_CHANGE_")) >= 2


def test_every_metric_with_its_labels() -> None:
    text = page("metrics")
    for name, labels in {**SPECIFIED, **OF_WEBHOOKS}.items():
        (row,) = (line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert set(re.findall(r"`(\w+)`", row.split(" | ")[2])) == labels
    assert STATES in text


def test_every_hook() -> None:
    text = page("hooks")
    for _, namespace in sections().specifications:
        for name, function in vars(namespace).items():
            if hasattr(function, "kahi_spec"):
                assert f"### `{name}({', '.join(inspect.signature(function).parameters)})`" in text
                for word in ("Called", "Exception", "Since", "Example"):
                    said = inspect.getdoc(function) or ""
                    assert f"\n{word}:" in said, f"{name} does not say {word}"
    assert "**Called**:" in text
    for kind in hookvalues.CLASSES:
        assert f"### `{kind.__name__}`" in text
    assert "| `veto(reason, retry)` | Do not let the process be spawned; raises SpawnVeto. |" in text


def test_the_drawing_has_every_transition() -> None:
    drawn = {
        (source, target): set(events.split())
        for source, target, events in re.findall(
            r'data-from="(\w+)" data-to="(\w+)" data-events="([\w ]+)"', diagram.drawing()
        )
    }
    for state, row in TRANSITIONS.items():
        for event in row:
            targets = {result.state for result in lifecycle.outcomes()[state, event]} - {state}
            for target in targets:
                assert event.__name__ in drawn[state.name, target.name]
    assert set(re.findall(r'data-state="(\w+)"', diagram.drawing())) == {state.name for state in State}


def test_the_transition_table_says_what_the_table_in_the_code_does() -> None:
    outcomes = lifecycle.outcomes()
    assert set(outcomes) == {(state, event) for state, row in TRANSITIONS.items() for event in row}
    for (state, event), results in outcomes.items():
        if not results:
            with pytest.raises(Refused):
                TRANSITIONS[state][event](Record(state=state), event(), Circumstances(0.0))  # type: ignore[call-arg]
    rows = lifecycle.transition_table().splitlines()
    assert [line.split("|")[1].strip(" *") for line in rows[2:9]] == [state.name for state in State]
    assert rows[0].count("|") == len(TRANSITIONS[State.STOPPED]) + 2


@pytest.mark.parametrize("name", FRAGMENTS)
def test_fragments_stand_in_a_page(name: str) -> None:
    mark = f"<!-- generated: {name} -->"
    (path,) = (path for path in DOCS.rglob("*.md") if mark in path.read_text(encoding="utf-8"))
    assert mark not in completed(path.read_text(encoding="utf-8"))


def test_results_of_benchmarks_are_shown_where_there_are_some(tmp_path: Path) -> None:
    assert benchmarks.fragment(tmp_path) == benchmarks.NOTHING
    outcome = Outcome()
    about = {"begun": "2026-11-25", "seconds": 60.0, "quick": False, "processors": 2, "processor": "x"}
    about |= {"memory": 2**33, "kernel": "6.18", "load_before": 0.1, "load_after": 0.2}
    write(tmp_path, "table", report.markdown(outcome, {"kahi": "0.1.0"}, about), {})
    shown = benchmarks.fragment(tmp_path)
    assert shown.startswith("2026-11-25, 60 s")
    assert "| measure | kahi 0.1.0 | goal |" in shown


def test_the_floors_of_the_document_are_those_that_are_enforced() -> None:
    text = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.+?) \|", text, re.MULTILINE)
    assert {number for number, _ in rows} == set("0123456")
    for number, rooms in rows:
        for room in re.findall(r"`(\w+)`", rooms):
            assert FLOORS[room] == int(number), room


def test_links_name_tables_by_their_anchors() -> None:
    assert configuration.anchor("programs.NAME.health") == "programs-health"


def test_pages_can_be_written_without_the_site(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "docs.generate", tmp_path], check=True, cwd=ROOT)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.md")} == set(PAGES)
