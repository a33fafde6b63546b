"""`kahi ctl status --watch`: the table, redrawn when something happens."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from kahi.cli.terminal import printable
from kahi.errors import KahiError
from kahi_api.ctl.screen import Screen
from kahi_api.ctl.selection import choose
from kahi_api.ctl.table import cut, duration, table

if TYPE_CHECKING:
    from kahi_api.client import Client, ClientError
    from kahi_api.ctl.target import Target

TYPES: Final = ("PROCESS_STATE", "PROCESS_HEALTH", "PROCESS_GROUP", "CONFIG", "SUPERVISOR_STATE")

CALM: Final = 0.05
"""Seconds in which everything that happens is shown at once."""


def watch_status(target: Target, names: Sequence[str], colored: bool) -> None:
    """Show the table until q or Ctrl-C.

    Raises:
        KahiError: there is no terminal, or nobody answers at the beginning.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise KahiError("--watch needs a terminal")
    with target.connect() as client:
        recent = client.events(limit=1)
        watcher = _Watcher(target, names, colored, client.raw_processes())
        watcher.since = recent[-1].serial if recent else 0
    with Screen(watcher.wake) as screen:
        watcher.run(screen)


class _Watcher:
    """What is known of the processes, and a pipe by which others say that it has changed."""

    def __init__(
        self, target: Target, names: Sequence[str], colored: bool, processes: list[dict[str, Any]]
    ) -> None:
        self._target = target
        self._names = names
        self._colored = colored
        self._processes = processes
        self._fetched = time.monotonic()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)
        self._problem: Exception | None = None
        self._changed = False
        self.since = 0
        """Serial of the last event that the processes are known after."""

    def wake(self) -> None:
        """Have everything drawn anew; may be called by a signal handler or another thread."""
        try:
            os.write(self._write, b"w")
        except BlockingIOError:
            # It has enough reason to wake up.
            return

    def run(self, screen: Screen) -> None:
        """Draw whenever something changed, and once a second for the sake of the clocks."""
        with self._target.connect() as listener:
            threading.Thread(target=self._listen, args=(listener,), daemon=True).start()
            self._draw_until_told(screen)

    def _draw_until_told(self, screen: Screen) -> None:
        keyboard = sys.stdin.fileno()
        while True:
            screen.draw(self._lines(*screen.size))
            to_next_second = 1.0 - (time.monotonic() - self._fetched) % 1.0
            ready, _, _ = select.select([keyboard, self._read], [], [], to_next_second)
            if keyboard in ready and os.read(keyboard, 64)[:1] in (b"q", b"Q", b""):
                return
            if self._read in ready:
                time.sleep(CALM)
                os.read(self._read, 65536)
            if self._changed or self._problem is not None:
                self._changed = False
                self._fetch()

    def _listen(self, client: Client) -> None:
        try:
            for _ in client.follow_events(TYPES, since=self.since, waiting=self._lost):
                self._happened()
        except (KahiError, OSError) as error:
            self._problem = error
            self.wake()

    def _lost(self, problem: ClientError) -> None:
        self._problem = problem
        self.wake()

    def _happened(self) -> None:
        self._changed = True
        self.wake()

    def _fetch(self) -> None:
        try:
            with self._target.connect(wait=10.0) as client:
                self._processes = client.raw_processes()
        except KahiError as error:
            self._problem = error
        else:
            self._fetched = time.monotonic()
            self._problem = None

    def _lines(self, width: int, height: int) -> list[str]:
        chosen, unknown = choose([self._aged(process) for process in self._processes], self._names)
        lines = table(chosen, colored=self._colored, width=width)
        room = height - 2
        if len(lines) > room:
            hidden = len(lines) - room + 1
            lines = [*lines[: room - 1], f"… {hidden} more"]
        return [*lines, "", cut(self._foot(chosen, unknown), width - 1)]

    def _foot(self, chosen: Sequence[dict[str, Any]], unknown: Sequence[str]) -> str:
        if self._problem is not None:
            return f"kahi: {printable(str(self._problem))}"
        if unknown:
            return f"kahi: no such process: {', '.join(unknown)}"
        states: dict[str, int] = {}
        for process in chosen:
            states[process["state"]] = states.get(process["state"], 0) + 1
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        return f"{len(chosen)} processes: {counts} (q ends)" if chosen else "no processes (q ends)"

    def _aged(self, process: dict[str, Any]) -> dict[str, Any]:
        """The process as it must be by now, when nothing has happened to it."""
        passed = 0 if self._problem else int(time.monotonic() - self._fetched)
        if not passed or not process["pid"] or process["state"] == "STARTING":
            return process
        uptime = process["uptime"] + passed
        description = process["description"]
        if description.startswith(f"pid {process['pid']}, uptime "):
            description = f"pid {process['pid']}, uptime {duration(uptime)}"
        return {**process, "uptime": uptime, "description": description}
