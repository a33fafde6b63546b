"""Asking plugins before a process is spawned. Whatever goes wrong, it is not spawned."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, Final

from kahi.boundary import AWAITED_ERRORS
from kahi.child import RESOURCES
from kahi.definition import ResourceLimit
from kahi.errors import SpawnError
from kahi.hookspecs import SpawnRequest, SpawnVeto
from kahi.launch import Launch
from kahi.plugins import PluginManager
from kahi.process import Process

HOOK: Final = "kahi_prepare_spawn"
LIMIT: Final = 5.0
"""Seconds that each plugin has to answer."""

Preparer = Callable[[SpawnRequest], Awaitable[None]]


class Preparation:
    """Has plugins change, or refuse, what is about to be executed."""

    def __init__(self, plugins: PluginManager) -> None:
        self._plugins = plugins
        self._preparers = plugins.spawn_preparers()

    @property
    def is_wanted(self) -> bool:
        """Whether any plugin wants to be asked."""
        return bool(self._preparers)

    async def prepare(self, process: Process, launch: Launch) -> Launch:
        """What is to be executed in place of ``launch``.

        Raises:
            SpawnError: a plugin refuses, fails, takes too long or asks for what can not be; the
                error names it.
        """
        definition = process.definition
        request = SpawnRequest(
            name=process.name,
            program=process.program,
            group=process.group,
            settings=definition.extensions,
            argv=list(launch.argv),
            environment=dict(launch.environment),
            rlimits={limit.name: (limit.soft, limit.hard) for limit in launch.rlimits},
        )
        for plugin, preparer in self._preparers:
            await self._ask(plugin, preparer, request)
        return dataclasses.replace(
            launch,
            argv=tuple(request.argv),
            environment=request.environment,
            rlimits=tuple(ResourceLimit(name, *bounds) for name, bounds in sorted(request.rlimits.items())),
        )

    async def _ask(self, plugin: str, preparer: Preparer, request: SpawnRequest) -> None:
        # A task of its own: one that swallows its cancellation must not hold up the start for ever.
        task = asyncio.create_task(_outcome(preparer, request), name=f"plugin {plugin}: {HOOK}")
        try:
            await asyncio.wait([task], timeout=LIMIT)
        finally:
            task.cancel()
        error: BaseException | None
        if not task.done():
            error = TimeoutError(f"no answer within {LIMIT:.0f} s")
        elif task.cancelled():
            error = asyncio.CancelledError("it cancelled itself")
        else:
            error = task.result() or _impossible(request)
        if isinstance(error, SpawnVeto):
            reason = f"plugin {plugin} refuses: {error}"
            raise SpawnError("start", reason=reason, permanent=not error.retry)
        if error is not None:
            self._plugins.count_error(plugin, HOOK, error)
            reason = f"plugin {plugin} failed: {error!r}"
            raise SpawnError("start", reason=reason, permanent=False)


async def _outcome(preparer: Preparer, request: SpawnRequest) -> BaseException | None:
    """What a plugin raises; returned, because SystemExit would go through the loop."""
    try:
        await preparer(request)
    except AWAITED_ERRORS as error:
        return error
    return None


def _impossible(request: SpawnRequest) -> Exception | None:
    """Why a request can not be executed, None when it can."""
    words: list[Any] = [*request.argv, *request.environment, *request.environment.values()]
    if not request.argv:
        return ValueError("argv is empty")
    if not all(isinstance(word, str) and "\0" not in word for word in words):
        return TypeError("argv and environment must be text")
    if any(not name or "=" in name for name in request.environment):
        return ValueError("a name in the environment is empty or holds '='")
    for name, bounds in request.rlimits.items():
        if name not in RESOURCES:
            return ValueError(f"there is no limit {name!r}")
        if len(bounds) != 2 or not all(isinstance(bound, int) for bound in bounds):  # pyright: ignore[reportUnnecessaryIsInstance]
            return TypeError(f"the limit {name!r} is no pair of whole numbers")
    return None
    return None
