"""What plugins own in the configuration, and what becomes of it when a plugin is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from kahi.config.config import Config
from kahi.config.loading import load
from kahi.errors import ConfigError
from kahi.hookspecs import ConfigSection, hookimpl
from kahi.plugins import PluginManager


class Settings(BaseModel):
    """A table."""

    target: str = "ops"
    count: int = 1


class Needy(BaseModel):
    """A table with a key that has no default."""

    url: str


class Broken(BaseModel):
    """A table whose model is wrong itself."""

    target: str = ""

    @field_validator("target")
    @classmethod
    def _fails(cls, target: str) -> str:
        raise AttributeError("as told")


SECTIONS = (
    ConfigSection("notify", Settings),
    ConfigSection("hooks", Settings, many=True),
    ConfigSection("needy", Needy),
    ConfigSection("vault", Settings, in_program=True),
)


def loaded(tmp_path: Path, toml: str, sections: Sequence[ConfigSection] = SECTIONS, **options: Any) -> Config:
    """A configuration with the sections of plugins."""
    path = tmp_path / "kahi.toml"
    path.write_text(toml)
    return load(str(path), sections=sections, environ={}, **options)


def test_tables_of_plugins_are_checked_and_have_defaults(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        '[notify]\ntarget = "%(here)s"\n[hooks.one]\ncount = 2\n'
        '[programs.web]\ncommand = "true"\nnumprocs = 2\n[programs.web.vault]\ntarget = "%(process_num)d"\n',
    )
    assert config.sections["notify"] == Settings(target=str(tmp_path))
    assert config.sections["hooks"] == {"one": Settings(count=2)}
    assert config.sections["needy"] is None
    settings = [process.extensions["vault"] for process in config.groups["web"].processes]
    assert settings == [Settings(target="0"), Settings(target="1")]


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[notify]\ncount = "x"', "kahi.toml:2: [notify] count: is no whole number"),
        ("[hooks]\none = 1", "[hooks] one: is no table"),
        ("[needy]\n", "kahi.toml:1: [needy] url: is missing"),
        ('[programs.web]\ncommand = "true"\nvault = 3', "kahi.toml:3: [programs.web] vault: is no table"),
        (
            '[programs.web]\ncommand = "true"\nvault = {count = "x"}',
            "kahi.toml:3: [programs.web] vault.count: is no whole",
        ),
    ],
)
def test_mistakes_in_tables_of_plugins_have_a_place(tmp_path: Path, toml: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, toml)
    assert problem in str(caught.value)


STRICT = "[supervisor]\nstrict = true\n"
WEB = '[programs.web]\ncommand = "true"\n'


@pytest.mark.parametrize(
    ("toml", "out_of_service", "warning"),
    [
        ("[server]\n", {"api": "is disabled"}, "[server]: belongs to plugin 'api', which is disabled"),
        ("[other]\n", {"other": "failed"}, "[other]: belongs to plugin 'other', which failed"),
        ("[hooks]\n", {"x": "failed"}, "[hooks]: may belong to plugin 'x', which failed"),
        (f"{WEB}vault = {{}}\n", {"x": "failed"}, "[programs.web] vault: is no known key, it may belong to"),
    ],
)
def test_tables_of_absent_plugins_are_accepted_with_a_warning(
    tmp_path: Path, toml: str, out_of_service: Mapping[str, str], warning: str
) -> None:
    config = loaded(tmp_path, STRICT + toml, (), out_of_service=out_of_service)
    assert warning in str(config.warnings[0])


@pytest.mark.parametrize(
    ("toml", "out_of_service", "problem"),
    [
        ("[progams]\n", {"api": "is disabled"}, "[progams]: is no table of the configuration (did you mean"),
        (
            "[webui]\n",
            {"x": "failed"},
            "[webui]: needs a plugin that is not installed: pip install 'kahi[webui]'",
        ),
        (
            f"{WEB}autostrat = true\n",
            {"x": "failed"},
            "autostrat: is no known key (did you mean 'autostart'?)",
        ),
    ],
)
def test_what_can_not_be_theirs_is_refused(
    tmp_path: Path, toml: str, out_of_service: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, STRICT + toml, (), out_of_service=out_of_service)
    assert problem in str(caught.value)


def manager_of(*sections: ConfigSection) -> PluginManager:
    """A manager with a plugin that declares sections."""
    plugin = ModuleType("sample")
    vars(plugin)["kahi_config_sections"] = hookimpl(lambda: sections)
    plugins = PluginManager()
    plugins.register(plugin, "sample")
    plugins.declare_sections()
    return plugins


@pytest.mark.parametrize(
    ("section", "toml"),
    [
        (ConfigSection("bad", Broken), "[bad]\ntarget = 'x'\n"),
        (ConfigSection("bad", Broken, many=True), "[bad.one]\ntarget = 'x'\n"),
        (ConfigSection("bad", Broken, in_program=True), f"{WEB}bad = {{target = 'x'}}\n"),
    ],
)
def test_a_model_that_fails_takes_its_plugin_out_of_service(
    tmp_path: Path, section: ConfigSection, toml: str
) -> None:
    plugins = manager_of(section)
    config = loaded(tmp_path, toml, plugins.sections, on_failure=plugins.fail_model)
    assert "can not be checked, its plugin failed" in str(config.warnings[0])
    assert plugins.list()[0].reason == "its model Broken failed: AttributeError('as told')"
    with pytest.raises(ConfigError, match="can not be checked: AttributeError"):
        loaded(tmp_path, toml, plugins.sections)


def test_a_key_of_core_belongs_to_core(tmp_path: Path) -> None:
    plugins = manager_of(ConfigSection("command", Settings, in_program=True))
    config = loaded(tmp_path, WEB, plugins.sections, on_failure=plugins.fail_model)
    assert config.groups["web"].processes[0].extensions == {}
    assert "'command' is a key of core" in plugins.list()[0].reason
