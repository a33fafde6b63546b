"""The service manager that started the daemon, such as systemd, told by sd_notify datagrams how it fares.

Where it listens is said in the environment, from which that is taken: children are no concern of it.
Nothing is sent, and no timer runs, unless it asked for that. A message that it can not take at the
moment is kept and sent again, so that the event loop never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Generator, Mapping, MutableMapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kahi.errors import KahiError
from kahi.events import Event
from kahi.lifecycle import State

if TYPE_CHECKING:
    from kahi.process import Process
    from kahi.supervisor import Supervisor

log = logging.getLogger(__name__)

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

STATUS_DELAY: Final = 1.0
"""Seconds in which changes of processes are gathered: a storm of crashes is none of messages."""

RETRY_DELAY: Final = 0.1
"""Seconds until what could not be taken is sent again."""

MAX_UNSENT: Final = 64
"""Messages that are kept for later; beyond it the oldest give way."""

MAX_STATUS: Final = 200
"""Characters of a status line."""

SHUTDOWN_MARGIN: Final = 10.0
"""Seconds that the end may take beyond `shutdown_timeout`, for plugins and the last output."""


def take_variables(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Remove from an environment, and return, what a service manager has put there."""
    return {name: environ.pop(name) for name in VARIABLES if name in environ}


class ServiceManager:
    """Who started the daemon, and wants to be told of it; or nobody.

    Args:
        variables: what it put into the environment.
    """

    def __init__(self, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        self._variables = variables
        self._address = _address(variables.get("NOTIFY_SOCKET", ""))
        self._unsent: deque[bytes] = deque(maxlen=MAX_UNSENT)
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._supervisor: Supervisor | None = None
        self._status = ""
        self._is_gathering = False
        self._is_up = self._is_stopping = False
        self._has_complained = False

    def attend(self, supervisor: Supervisor, loop: asyncio.AbstractEventLoop) -> None:
        """Tell, from now on, of reloads and of the end; of the rest once the daemon is `ready`."""
        if not self._address:
            return
        self._supervisor, self._loop = supervisor, loop
        supervisor.while_reloading = self._reloading
        supervisor.events.subscribe(self._stops, "SUPERVISOR_STATE_STOPPING")

    def ready(self) -> None:
        """The daemon is up: sockets are bound, and what starts by itself was started."""
        if self._supervisor is None:
            return
        self._is_up = True
        self._supervisor.watchers.changed.append(self._process_changed)
        self._say_ready()
        # Not before: going to the background changes the pid.
        period = _watchdog_period(self._variables, os.getpid())
        if period and self._loop is not None:
            self._show_life(self._loop, period / 2)

    def failed(self, error: KahiError) -> None:
        """The daemon can not be started, and ends."""
        self._say(_status(str(error)))

    def close(self) -> None:
        """Tell no more."""
        self._address = ""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @contextlib.contextmanager
    def _reloading(self) -> Generator[None]:
        assert self._supervisor is not None
        assert self._loop is not None
        # The clock tells which of its requests this is an answer to.
        self._say("RELOADING=1", f"MONOTONIC_USEC={round(self._loop.time() * 1_000_000)}")
        try:
            yield
        except Exception as error:
            self._say_ready(f"reload refused: {error}")
            raise
        else:
            self._say_ready()

    def _say_ready(self, status: str = "") -> None:
        """It is in order; not said before it is up, and not any more once it ends."""
        if self._is_stopping or not self._is_up:
            return
        self._status = status or self._summary()
        self._say("READY=1", _status(self._status))

    def _stops(self, _event: Event) -> None:
        assert self._supervisor is not None
        self._is_stopping = True
        # It may have been told to give up sooner than we do.
        limit = self._supervisor.settings.shutdown_timeout + SHUTDOWN_MARGIN
        self._say("STOPPING=1", "STATUS=shutting down", f"EXTEND_TIMEOUT_USEC={round(limit * 1_000_000)}")

    def _process_changed(self, _process: Process) -> None:
        if not self._is_gathering and self._loop is not None:
            self._is_gathering = True
            self._loop.call_later(STATUS_DELAY, self._tell_status)

    def _tell_status(self) -> None:
        self._is_gathering = False
        status = self._summary()
        if status != self._status and not self._is_stopping:
            self._status = status
            self._say(_status(status))

    def _summary(self) -> str:
        """How many processes there are, and in which states."""
        assert self._supervisor is not None
        counts = Counter(process.state for process in self._supervisor.processes.values())
        total = counts.total()
        states = ", ".join(f"{counts[state]} {state.name}" for state in State if counts[state])
        return f"{total} process{'' if total == 1 else 'es'}" + (f": {states}" if states else "")

    def _show_life(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        """The loop turns. Said twice in the time within which it has to be heard."""
        self._say("WATCHDOG=1")
        if self._address:
            loop.call_later(interval, self._show_life, loop, interval)

    def _say(self, *lines: str) -> None:
        if self._address:
            self._unsent.append("\n".join(lines).encode())
            if len(self._unsent) == 1:
                self._send()

    def _send(self) -> None:
        """Send what waits, in order; what can not be taken yet is tried again."""
        while self._unsent and self._address:
            try:
                if self._socket is None:
                    self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                    self._socket.setblocking(False)
                self._socket.sendto(self._unsent[0], self._address)
            except BlockingIOError:
                if self._loop is not None:
                    self._loop.call_later(RETRY_DELAY, self._send)
                return
            except OSError as error:
                self._complain(error)
            self._unsent.popleft()

    def _complain(self, error: OSError) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning("the service manager at NOTIFY_SOCKET is not told how the daemon fares: %s", error)


def _address(text: str) -> str:
    """Where a socket is: "@" stands for the byte that begins an abstract name."""
    if text and not text.startswith(("/", "@")):
        log.warning("NOTIFY_SOCKET is neither a path nor an abstract socket: %s", text)
        return ""
    return "\0" + text[1:] if text.startswith("@") else text


def _watchdog_period(variables: Mapping[str, str], pid: int) -> float:
    """Seconds within which it wants to hear that this process lives; 0 for never."""
    if variables.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    text = variables.get("WATCHDOG_USEC", "0")
    if not (text.isascii() and text.isdecimal()):
        log.warning("WATCHDOG_USEC is no number of microseconds: %s", text)
        return 0.0
    return int(text) / 1_000_000


def _status(text: str) -> str:
    line = " ".join(text.split())
    return "STATUS=" + "".join(filter(str.isprintable, line))[:MAX_STATUS]
