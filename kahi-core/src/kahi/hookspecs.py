"""Every hook that core calls: when, how often, on which thread, and what an exception does.

A plugin implements some of them with ``@hookimpl`` in a module that an entry point of the group
``kahi.plugins`` names. Implementations name only the arguments they need. Adding a hook or an
argument is compatible; removing one takes a release of warnings.

All hooks are called on the event-loop thread unless said otherwise, and must not block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pluggy
from pydantic import BaseModel

if TYPE_CHECKING:
    from kahi.config.config import Config
    from kahi.errors import Problem
    from kahi.events import Event
    from kahi.plugins import PluginContext

PROJECT = "kahi"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook it is named after."""


@dataclass(frozen=True, slots=True)
class ConfigSection:
    """A part of the configuration that a plugin owns.

    Args:
        name: the table's name, or the key inside a program.
        model: what it may hold; unknown keys are reported from the model's fields.
        in_program: it is a key or table of every program, not a table of its own.
        many: it is a table of named tables, as in ``[webhooks.NAME]``.
    """

    name: str
    model: type[BaseModel]
    in_program: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A long-running part of a plugin.

    Args:
        name: how it is called in the log.
        run: makes an async context manager; the service is up while it is entered, and is left in
            order at shutdown. When it ends by an exception it is started again, with backoff.
    """

    name: str
    run: Callable[[], AbstractAsyncContextManager[None]]


class LogSink(Protocol):
    """Gets what a stream of a process prints. Called on the data-plane thread; must not block."""

    def write(self, data: bytes) -> None:
        """Take the next bytes of the stream; they may end anywhere."""
        ...

    def close(self) -> None:
        """No more bytes come."""
        ...


@hookspec
def kahi_addhooks() -> Sequence[object]:  # type: ignore[empty-body]
    """Add hooks of the plugin's own: modules (or other namespaces) of hook specifications.

    Called once, after all plugins were imported and before any other hook. The plugin calls them
    with [PluginManager.call][kahi.plugins.PluginManager.call]. An implementation in a plugin that
    also works without them says ``@hookimpl(optionalhook=True)``. An exception makes the plugin
    fail.
    """


@hookspec
def kahi_config_sections() -> Sequence[ConfigSection]:  # type: ignore[empty-body]
    """Declare tables and program keys of the plugin.

    Called once, before the configuration is read. An exception makes the plugin fail; its tables
    are then accepted with a warning.
    """


@hookspec
def kahi_validate_config(config: Config) -> Sequence[Problem] | None:  # type: ignore[empty-body]
    """Report what the models alone can not see.

    Called for each configuration that is read and otherwise valid, at start, on reload and by
    ``kahi check``, possibly on a worker thread. Any problem refuses the start or the reload.
    """


@hookspec
def kahi_setup(ctx: PluginContext) -> None:
    """Prepare: subscribe to events, open sockets.

    Called once, in the event loop, before privileges are dropped and before anything is spawned.
    An exception makes the plugin fail; the daemon goes on without it unless it is required.
    """


@hookspec
def kahi_services(ctx: PluginContext) -> Sequence[Service]:  # type: ignore[empty-body]
    """Give the plugin's long-running parts.

    Called once, after what starts by itself has been started. Each service runs in a task of its
    own that is supervised like a process.
    """


@hookspec
def kahi_event(event: Event) -> None:
    """Something happened.

    Called for each event, in order, after it is committed. An exception is logged and counted, and
    does not keep others from being told.
    """


@hookspec
def kahi_reload(ctx: PluginContext, old: Config, new: Config) -> None:
    """A new configuration was applied; take over what concerns the plugin.

    Called after each reload that changed something. An exception is logged and counted.
    """


HookResult = Any
