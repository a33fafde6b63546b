"""Reading the configuration together with the plugins that have a say in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from kahi.config.config import Config
from kahi.config.files import read_all
from kahi.config.loading import disabled_plugins, load
from kahi.config.search import find
from kahi.errors import ConfigError
from kahi.plugins import PluginManager


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and the plugins that it was read with."""

    config: Config
    plugins: PluginManager
    environ: Mapping[str, str]

    def load_again(self) -> Config:
        """Read the same files anew; may block. Raises ConfigError."""
        kinds = {kind: found for kind, (_, found) in self.plugins.health_checks.items()}
        config = load(
            self.config.path, sections=self.plugins.sections, environ=self.environ, health_kinds=kinds
        )
        return _checked(config, self.plugins)


def load_everything(path: str = "") -> Loaded:
    """Find the configuration and the plugins, and read the one with the help of the others.

    Args:
        path: the main file; "" looks at the usual places.

    Raises:
        ConfigError: with everything that is wrong.
        NoConfigFound: there is none.
        PluginMissing: a required plugin is not there.
    """
    environ = dict(os.environ)
    sources = read_all(path or find(environ), environ)
    if sources.errors:
        raise ConfigError(sources.errors)
    plugins = PluginManager()
    plugins.discover(disabled_plugins(sources))
    main = sources.files[0].path
    config = load(
        main,
        sections=plugins.declare_sections(),
        environ=environ,
        sources=sources,
        health_kinds=plugins.declare_health_checks(),
    )
    plugins.require(config.supervisor.required_plugins)
    return Loaded(_checked(config, plugins), plugins, environ)


def _checked(config: Config, plugins: PluginManager) -> Config:
    problems = plugins.validate_config(config)
    if problems:
        raise ConfigError(problems)
    return config
