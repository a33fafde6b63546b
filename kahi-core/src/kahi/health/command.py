"""The exec check: a program that exits with 0, run as its process is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kahi.child import Pipes, spawn
from kahi.errors import SpawnError
from kahi.hookspecs import CheckFailed
from kahi.launch import Launch, make_launch
from kahi.lifecycle import Exit

if TYPE_CHECKING:
    from kahi.process import Host, Process

KEPT_OUTPUT: Final = 500
"""Bytes of what a failed check printed that may become its reason."""

READ_SIZE: Final = 64 * 1024


class CommandCheck:
    """Runs a program with the user, directory and environment of the process."""

    def __init__(self, argv: tuple[str, ...], host: Host) -> None:
        self._argv = argv
        self._host = host

    async def check(self, process: Process) -> None:
        """Run it once. Raises CheckFailed."""
        host = self._host
        try:
            launch = make_launch(process.definition, host.environment, server_url=host.server_url)
            # Limits and priorities are the process's own business.
            probe = replace(launch, argv=self._argv, rlimits=(), nice=0, oom_score_adj=None)
            child = _Child(host, probe, process.name)
        except SpawnError as error:
            raise CheckFailed(str(error)) from None
        try:
            end = await child.ended
        finally:
            child.leave()
        if end.status != 0:
            said = child.last_words
            raise CheckFailed(f"{end}: {said}" if said else str(end))


class _Child:
    """A child of a check. Whatever becomes of the check, it is reaped and nothing of it stays.

    Args:
        name: of the process that is checked.

    Raises:
        SpawnError: it can not be run.
    """

    def __init__(self, host: Host, launch: Launch, name: str) -> None:
        self._host = host
        self._output = b""
        self._is_reaped = False
        self.ended: asyncio.Future[Exit] = host.loop.create_future()
        system = host.system
        pipes = Pipes(system, "null", separate_stderr=False)
        try:
            self._pid = spawn(system, launch, pipes.child)
        except SpawnError:
            pipes.close()
            raise
        pipes.close_child_ends()
        self._reader = pipes.stdout
        system.set_nonblocking(self._reader)
        host.loop.add_reader(self._reader, self._read)
        if host.ledger is not None:
            host.ledger.note(self._pid, f"check of {name}")
        host.reaper.watch(self._pid, self._notice_exit)

    @property
    def last_words(self) -> str:
        """The last line it printed, for people."""
        lines = self._output.decode("utf-8", "replace").split("\n")
        words = [line for line in lines if line.strip()]
        return "".join(c for c in words[-1] if c.isprintable()) if words else ""

    def leave(self) -> None:
        """Kill it if it still runs; it is reaped as soon as it has ended."""
        if not self._is_reaped:
            self._kill_group()
        self._close_reader()

    def _read(self) -> None:
        try:
            data = os.read(self._reader, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._output = (self._output + data)[-KEPT_OUTPUT:]
        else:
            self._close_reader()

    def _notice_exit(self) -> None:
        if self._is_reaped:
            return
        try:
            info = self._host.system.peek_exit(self._pid)
        except ChildProcessError:
            # Somebody else in this process reaped it: its number may be anybody's by now.
            end = Exit()
        else:
            if info is None:
                return
            end = Exit(info.code, info.signal)
            self._kill_group()
        self._host.reaper.noticed(self._pid)
        if self._reader >= 0:
            self._read()
        self._is_reaped = True
        if self._host.ledger is not None:
            self._host.ledger.forget(self._pid)
        self._host.reaper.reap(self._pid)
        self._close_reader()
        if not self.ended.done():
            self.ended.set_result(end)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self._host.system.kill_group(self._pid, signal.SIGKILL)

    def _close_reader(self) -> None:
        if self._reader >= 0:
            self._host.loop.remove_reader(self._reader)
            self._host.system.close(self._reader)
            self._reader = -1
