"""Whose code holds the event loop, read from where it stands."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from kahi.events.bus import deliver
from kahi.plugins.calls import invoke

IMPORT_MODULES: Final = "importlib._bootstrap"
LOOP_MODULE: Final = "asyncio.events"
SERVICE_TASKS: Final = "plugin "
"""How the names of tasks begin that run code of plugins: ``plugin notify: service sender``."""

OwnerOfModule = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Culprit:
    """Who holds the event loop.

    Args:
        who: for people: the plugin and its hook, service or function; or core and its function.
        plugin: its name, "" for core.
        place: file, line and function; of the plugin, if it is one.
        importing: it imports a module, which happens once.
        stack: where it stands, from what the loop called to the innermost line; lines of source code are
            read when it is formatted.
    """

    who: str
    plugin: str
    place: str
    importing: bool
    stack: traceback.StackSummary = field(default_factory=traceback.StackSummary, repr=False)


def find_culprit(frame: FrameType, task: str, owner_of_module: OwnerOfModule) -> Culprit:
    """Who runs at ``frame``: a hook, a subscriber of events, a task, or any other callback.

    Args:
        frame: the innermost one of the event-loop thread.
        task: name of the task that runs, "" in a plain callback.
        owner_of_module: finds the plugin that a module belongs to, "" for none.
    """
    frames = list(_until_the_loop(frame))
    plugin, what = _called_by_core(frames)
    if not plugin and task.startswith(SERVICE_TASKS):
        plugin, _, what = task.removeprefix(SERVICE_TASKS).partition(": ")
    owned = [each for each in frames if owner_of_module(_module(each))]
    if not plugin and owned:
        plugin = owner_of_module(_module(owned[-1]))
        what = owned[-1].f_code.co_qualname
    what = what or frames[-1].f_code.co_qualname
    stands = next((each for each in owned if owner_of_module(_module(each)) == plugin), frame)
    return Culprit(
        who=f"plugin {plugin}: {what}" if plugin else f"core: {what}",
        plugin=plugin,
        place=f"{stands.f_code.co_filename}:{stands.f_lineno} ({stands.f_code.co_qualname})",
        importing=any(_module(each).startswith(IMPORT_MODULES) for each in frames),
        stack=traceback.StackSummary.extract(
            ((each, each.f_lineno) for each in reversed(frames)), lookup_lines=False
        ),
    )


def _until_the_loop(frame: FrameType) -> Iterator[FrameType]:
    """The frames of what the loop called, the innermost first."""
    yield frame
    while frame.f_back is not None and _module(frame.f_back) != LOOP_MODULE:
        frame = frame.f_back
        yield frame


def _called_by_core(frames: list[FrameType]) -> tuple[str, str]:
    """The plugin and the hook or subscriber that core called last, "" when it called none."""
    for frame in frames:
        if frame.f_code is invoke.__code__:
            implementation = frame.f_locals["implementation"]
            return implementation.plugin_name, implementation.function.__name__
        if frame.f_code is deliver.__code__ and "subscription" in frame.f_locals:
            return frame.f_locals["subscription"].owner, f"subscriber of {frame.f_locals['event'].type}"
    return "", ""


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__") or ""
