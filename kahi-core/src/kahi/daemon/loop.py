"""The daemon's event loop: watched, and left in time also when a task does not end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from kahi.daemon.signals import shut_out_signals
from kahi.daemon.watch import LoopWatch, WatchedSelector
from kahi.plugins import PluginManager

log = logging.getLogger(__name__)

LAST_TASKS: Final = 1.0
"""Seconds that tasks and threads which are left over have to end."""


class Ended(NamedTuple):
    """How a loop ended: the exit code, and whether nothing of it is left."""

    code: int
    clean: bool


def run_loop(
    main: Callable[[], Coroutine[Any, Any, int]], plugins: PluginManager, *, watched: bool = True
) -> Ended:
    """Run a coroutine function to its end.

    A task of a plugin that tries to end the program (SystemExit would go through the loop) is
    counted as an error, and the loop goes on.

    Args:
        watched: report who holds the loop for too long, and let no signal disturb its end; in the main
            thread only.
    """
    watch = LoopWatch(plugins.owner_of_module, plugins.count_stall) if watched else None
    loop = asyncio.SelectorEventLoop(WatchedSelector(watch) if watch is not None else None)
    loop.set_exception_handler(lambda loop, context: _count_error(loop, context, plugins))
    task = loop.create_task(main(), name="daemon")
    if watch is not None:
        watch.begin()
    clean = False
    try:
        while True:
            try:
                code = loop.run_until_complete(task)
                break
            except SystemExit as error:
                if task.done():
                    raise
                plugins.count_error(_owner(error, plugins), "a task that tried to end the daemon", error)
    finally:
        if watch is not None:
            shut_out_signals()
        clean = _close(loop)
        if watch is not None:
            watch.end()
    return Ended(code, clean)


def leave(ended: Ended) -> int:
    """The exit code; or the end of the process, when code of a plugin would hold it up otherwise."""
    deadline = time.monotonic() + LAST_TASKS
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                ended = Ended(ended.code, clean=False)
    if not ended.clean:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                # What plugins printed.
                stream.flush()
        os._exit(ended.code)
    return ended.code


def _close(loop: asyncio.AbstractEventLoop) -> bool:
    """What `asyncio.Runner` does at the end, but not without end; returns whether nothing is left."""
    left_over = asyncio.all_tasks(loop)
    for each in left_over:
        each.cancel()
    if left_over:
        loop.run_until_complete(asyncio.wait(left_over, timeout=LAST_TASKS))
    if any(not each.done() for each in left_over):
        return False
    closing = loop.create_task(loop.shutdown_asyncgens())
    loop.run_until_complete(asyncio.wait([closing], timeout=LAST_TASKS))
    if not closing.done():
        return False
    loop.close()
    return True


def _count_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any], plugins: PluginManager) -> None:
    """A callback raised, or a task that nobody waited for."""
    error: BaseException | None = context.get("exception")
    owner = "" if error is None else _owner(error, plugins)
    if error is not None and owner:
        plugins.count_error(owner, context["message"], error)
    else:
        loop.default_exception_handler(context)


def _owner(error: BaseException, plugins: PluginManager) -> str:
    """The plugin whose code raised, "" for none's."""
    frames = traceback.walk_tb(error.__traceback__)
    owners = [plugins.owner_of_module(frame.f_globals.get("__name__") or "") for frame, _ in frames]
    return next(filter(None, owners), "")
