"""Starting a real supervisor inside a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kahi.daemon.startup import load_everything
from kahi.plugins import PluginManager
from kahi.testing.checks import plugin_name
from kahi.testing.configuration import write_configuration
from kahi.testing.recorder import NAME, Recorder
from kahi.testing.running import PATIENCE, Running

Plugins = Sequence[Any] | Mapping[str, Any]


def supervise(
    toml: str, plugins: Plugins = (), *, patience: float = PATIENCE, tolerant: bool = False
) -> Running:
    """Start the real core with a configuration, in this process; it is up when this returns.

    It has the given plugins and none that happen to be installed. Use it with ``with``, or `end` it::

        with supervise('[programs.a]\\ncommand = "sleep 60"', plugins=[kahi_notify]) as running:
            running.wait_for("a", "RUNNING")

    Its log, and the AUTO logs of programs, are in a directory that is removed at the end. Signals to
    the process are not for it, and it collects no orphans. What `[supervisor]` says about the process
    of the daemon has no effect: directory, umask, limits, pid file and subreaper.

    Args:
        toml: the text of the configuration.
        plugins: modules or objects, in the order in which they are called; by name, or named after
            their modules without ``kahi_``.
        patience: seconds that everything is waited for, unless it is said otherwise.
        tolerant: a plugin that fails or raises does not fail the test.

    Raises:
        ConfigError: the configuration is wrong; the text says where.
        PluginMissing: a plugin failed; the text says why.
    """
    named = plugins if isinstance(plugins, Mapping) else {plugin_name(each): each for each in plugins}
    manager, recorder = PluginManager(), Recorder()
    for name, plugin in named.items():
        manager.register(plugin, name)
    # The last one, so that everybody else was told of an event that it has.
    manager.register(recorder, NAME)
    directory = TemporaryDirectory(prefix="kahi-", ignore_cleanup_errors=True)
    try:
        path = Path(directory.name, "kahi.toml")
        write_configuration(toml, path)
        loaded = load_everything(str(path), manager)
        if not tolerant:
            manager.require(named)
        return Running(loaded, recorder, directory, patience, tolerant=tolerant)
    except BaseException:
        directory.cleanup()
        raise
