"""What processes tell about themselves by sd_notify datagrams: READY=1, STATUS=, WATCHDOG=1.

Each process has a socket of its own, in a directory that only the daemon can write to. A message
counts when it comes from the process or from its process group, where the system tells who sent it;
elsewhere the socket's mode decides who can send.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kahi.errors import SpawnError
from kahi.health.monitor import Monitor
from kahi.identity import find_identity

if TYPE_CHECKING:
    from kahi.definition import HealthSettings
    from kahi.process import Process
    from kahi.system import System

log = logging.getLogger(__name__)

MAX_STATUS: Final = 200
"""Characters of a STATUS that are kept."""

MESSAGES_PER_TURN: Final = 16
"""Messages of one process that are read before others have their turn."""

MAX_PATH: Final = 60
"""Bytes of the directory's path, so that every socket below it can be bound."""


class NotifyDirectory:
    """The directory of all notify sockets; made when the first is needed."""

    def __init__(self) -> None:
        self._path = ""
        self._made = 0

    def new_path(self) -> str:
        """A path for one more socket.

        Raises:
            OSError: the directory can not be made.
        """
        if not self._path:
            self._path = tempfile.mkdtemp(prefix="kahi-notify-", dir=_runtime_directory())
            # Processes of other users have to get through, but not to look around.
            os.chmod(self._path, 0o711)  # noqa: S103
        self._made += 1
        return os.path.join(self._path, str(self._made))

    def close(self) -> None:
        """Remove it with everything in it."""
        if self._path:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = ""


class Notifications:
    """Listens to one process, and watches over the time between its words.

    Args:
        directory: where its socket goes.
        monitor: gets what is found out.
    """

    def __init__(
        self,
        process: Process,
        settings: HealthSettings,
        system: System,
        loop: asyncio.AbstractEventLoop,
        directory: NotifyDirectory,
        monitor: Monitor,
    ) -> None:
        self._process = process
        self._settings = settings
        self._system = system
        self._loop = loop
        self._directory = directory
        self._monitor = monitor
        self._socket: socket.socket | None = None
        self._path = ""
        self._is_ready = False
        self._period = settings.interval
        self._last_word = 0.0
        self._watches = False
        self._timer: asyncio.TimerHandle | None = None
        self._has_complained = False

    def environment(self) -> dict[str, str]:
        """What the next child has to know. Messages that are still there from the last one are gone.

        Raises:
            SpawnError: there can be no socket.
        """
        if self._socket is None:
            self._open()
        assert self._socket is not None
        while self._receive(self._socket) is not None:
            pass
        self._period = self._settings.interval
        return {"NOTIFY_SOCKET": self._path, "WATCHDOG_USEC": str(round(self._period * 1_000_000))}

    def begin(self) -> None:
        """The process is being started."""
        self.end()
        settings = self._settings
        self._arm(settings.start_period + settings.retries * settings.interval, self._not_ready)

    def end(self) -> None:
        """The process goes down."""
        self._is_ready = self._watches = self._has_complained = False
        self._disarm()

    def reconfigure(self, settings: HealthSettings) -> None:
        """Take over other settings; how often the process shows itself was settled at its start."""
        self._settings = settings

    def close(self) -> None:
        """The process leaves."""
        self.end()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _open(self) -> None:
        try:
            path = self._directory.new_path()
            listener = self._system.bind_datagram(path, self._owner())
        except OSError as error:
            raise SpawnError("make notify socket", self._path, error.errno or 0, permanent=False) from None
        self._path, self._socket = path, listener
        self._loop.add_reader(listener, self._read)

    def _owner(self) -> int:
        user = self._process.definition.spawn.user
        identity = find_identity(user) if user else None
        return -1 if identity is None else identity.uid

    def _read(self) -> None:
        assert self._socket is not None
        for _ in range(MESSAGES_PER_TURN):
            received = self._receive(self._socket)
            if received is None:
                return
            message, sender = received
            if sender is None or self._may_speak(sender):
                self._hear(message.decode("utf-8", "replace"))
            elif not self._has_complained:
                self._has_complained = True
                log.warning(
                    "%s: a notification was ignored: pid %d is not of its process group",
                    self._process.name,
                    sender,
                )

    def _receive(self, listener: socket.socket) -> tuple[bytes, int | None] | None:
        try:
            return self._system.receive_datagram(listener)
        except OSError:
            return None

    def _may_speak(self, sender: int) -> bool:
        pid = self._process.pid
        return pid != 0 and (sender == pid or self._system.process_group(sender) == pid)

    def _hear(self, message: str) -> None:
        for line in message.splitlines():
            name, _, value = line.partition("=")
            match name, value:
                case "STATUS", _:
                    self._monitor.tells("".join(filter(str.isprintable, value))[:MAX_STATUS])
                case "READY", "1":
                    self._is_ready = True
                    if not self._watches:
                        self._disarm()
                    self._monitor.judged("")
                case "WATCHDOG", "1":
                    self._shown()
                case "WATCHDOG", "trigger":
                    self._monitor.condemned("it triggered its watchdog")
                case "STOPPING", "1":
                    # It takes as long as it takes; the end itself is noticed elsewhere.
                    self._watches = False
                    self._disarm()
                case _:
                    # RELOADING, MAINPID and whatever else there may be: nothing depends on it.
                    pass

    def _shown(self) -> None:
        """It showed that it lives; from the first time on it has to go on doing so."""
        self._last_word = self._loop.time()
        if not self._is_ready:
            return
        if not self._watches:
            self._watches = True
            self._arm(self._period, self._check_watchdog)
        self._monitor.judged("")

    def _check_watchdog(self) -> None:
        silent = self._loop.time() - self._last_word
        if silent < self._period:
            self._arm(self._period - silent, self._check_watchdog)
            return
        self._arm(self._period, self._check_watchdog)
        self._monitor.judged(f"no WATCHDOG=1 for {silent:.3g} s")

    def _not_ready(self) -> None:
        self._monitor.condemned("it has not said READY=1")

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _runtime_directory() -> str:
    """Where sockets go: what is emptied at a boot, else the directory for temporary files."""
    runtime = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "")
    temporary = tempfile.gettempdir()
    for directory in (runtime, temporary):
        is_short = len(os.fsencode(directory)) <= MAX_PATH
        if is_short and os.path.isdir(directory) and os.access(directory, os.W_OK):
            return directory
    return "/tmp"  # noqa: S108
