"""One attempt to start a process: its logs are opened, plugins asked, its program executed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kahi.child import Pipes, spawn
from kahi.errors import SpawnError
from kahi.launch import Launch, make_launch
from kahi.process.host import Host, Prepare

if TYPE_CHECKING:
    from kahi.process.process import Process

_preparing: set[asyncio.Task[None]] = set()
"""Attempts that wait for plugins; the loop itself holds tasks only weakly."""


class Attempt:
    """Ends with exactly one call of ``spawned`` or ``failed``, or of neither once it is given up.

    Either may be called before `begin` returns.

    Args:
        spawned: gets the pid, and the pipes that are its receiver's to close.
    """

    __slots__ = ("_awaited", "_failed", "_host", "_is_over", "_process", "_spawned")

    def __init__(
        self,
        process: Process,
        host: Host,
        spawned: Callable[[int, Pipes], None],
        failed: Callable[[SpawnError], None],
    ) -> None:
        self._process = process
        self._host = host
        self._spawned = spawned
        self._failed = failed
        self._awaited = 0
        self._is_over = False

    def begin(self) -> None:
        """Set it going."""
        streams = self._process.streams
        self._awaited = len(streams)
        for stream in streams:
            stream.open(self._opened)

    def give_up(self) -> None:
        """Nothing comes of it any more."""
        self._is_over = True

    def _opened(self, error: SpawnError | None) -> None:
        self._awaited -= 1
        if self._is_over:
            return
        if error is not None:
            self._fail(error)
        elif self._awaited == 0:
            self._launch()

    def _launch(self) -> None:
        host = self._host
        try:
            launch = make_launch(self._process.definition, host.environment, server_url=host.server_url)
            if host.environment_for is not None:
                environment = host.environment_for(self._process, launch.environment)
                launch = replace(launch, environment=environment)
        except SpawnError as error:
            self._fail(error)
            return
        if host.prepare is None:
            self._execute(launch)
            return
        task = host.loop.create_task(self._prepare(launch, host.prepare))
        _preparing.add(task)
        task.add_done_callback(_preparing.discard)

    async def _prepare(self, launch: Launch, prepare: Prepare) -> None:
        try:
            prepared = await prepare(self._process, launch)
        except SpawnError as error:
            if not self._is_over:
                self._fail(error)
            return
        if not self._is_over:
            self._execute(prepared)

    def _execute(self, launch: Launch) -> None:
        process, host = self._process, self._host
        try:
            shared = None if host.input_for is None else host.input_for(process)
            stdin = process.definition.spawn.stdin if shared is None else shared
            pipes = Pipes(host.system, stdin, separate_stderr=process.stderr is not None)
        except SpawnError as error:
            self._fail(error)
            return
        try:
            pid = spawn(host.system, launch, pipes.child)
        except SpawnError as error:
            pipes.close()
            self._fail(error)
            return
        pipes.close_child_ends()
        self._is_over = True
        self._spawned(pid, pipes)

    def _fail(self, error: SpawnError) -> None:
        self._is_over = True
        self._failed(error)
