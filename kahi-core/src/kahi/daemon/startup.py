"""Reading the configuration together with the plugins that have a say in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kahi.config.config import Config
from kahi.config.files import read_all
from kahi.config.loading import disabled_plugins, load, own_directory
from kahi.config.search import find
from kahi.errors import ConfigError
from kahi.plugins import PluginManager

REQUIRE_VARIABLE: Final = "KAHI_REQUIRE_PLUGINS"
"""Plugins without which nothing starts, beside those of the configuration; commas between names."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and the plugins that it was read with."""

    config: Config
    plugins: PluginManager
    environ: Mapping[str, str]
    working_directory: str

    def load_again(self) -> Config:
        """Read the same files anew; may block. Raises ConfigError."""
        plugins = self.plugins
        config = load(
            self.config.path,
            sections=plugins.sections,
            environ=self.environ,
            health_kinds={kind: found for kind, (_, found) in plugins.health_checks.items()},
            out_of_service=plugins.out_of_service(),
            working_directory=self.working_directory,
        )
        return _checked(config, plugins)


def load_everything(path: str = "", plugins: PluginManager | None = None) -> Loaded:
    """Find the configuration and the plugins, and read the one with the help of the others.

    Args:
        path: the main file; "" looks at the usual places.
        plugins: those to use in place of the installed ones.

    Raises:
        ConfigError: with everything that is wrong.
        NoConfigFound: there is none.
        PluginMissing: a required plugin is not there.
    """
    environ = dict(os.environ)
    sources = read_all(path or find(environ), environ)
    if not sources.files:
        raise ConfigError(sources.errors)
    if plugins is None:
        plugins = PluginManager()
        plugins.discover(disabled_plugins(sources))
    config = load(
        sources.files[0].path,
        sections=plugins.declare_sections(),
        environ=environ,
        sources=sources,
        health_kinds=plugins.declare_health_checks(),
        out_of_service=plugins.out_of_service(),
        on_failure=plugins.fail_model,
    )
    plugins.require((*config.supervisor.required_plugins, *_required(environ)))
    return Loaded(_checked(config, plugins), plugins, environ, own_directory())


def _required(environ: Mapping[str, str]) -> list[str]:
    """Plugins that whoever starts the program demands, whatever the configuration says."""
    return [name for name in environ.get(REQUIRE_VARIABLE, "").split(",") if name]


def _checked(config: Config, plugins: PluginManager) -> Config:
    problems = plugins.validate_config(config)
    if problems:
        raise ConfigError(problems)
    return config
