"""Making the outlets of a stream from its settings; what streams share lives here."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from kahi.definition import StreamSettings
from kahi.events import EventBus, LogProblemEvent, ProcessOutputEvent
from kahi.output.ansi import AnsiStripper
from kahi.output.autolog import make_auto_log
from kahi.output.capture import Capture
from kahi.output.console import Console, Format, LineFormatter
from kahi.output.filewriter import FileWriter
from kahi.output.logfile import LogFile
from kahi.output.mail import Mail
from kahi.output.outlets import ConsoleLines, Events, Outlet, RawConsole, SyslogLines
from kahi.output.ring import Ring
from kahi.output.streamkey import StreamKey
from kahi.output.syslog import SyslogSender, SyslogTarget
from kahi.system import System

if TYPE_CHECKING:
    from kahi.output.channel import Channel

log = logging.getLogger(__name__)

CONSOLES: Final = {"": 1, "/dev/stdout": 1, "/dev/stderr": 2}
"""Log files that are descriptors of the daemon."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What all streams share.

    Args:
        console_format: how lines are dressed for the daemon's stdout.
        auto_directory: where AUTO logs go, ``identifier`` is in their names.
        syslog: where lines for syslog go.
    """

    console_format: Format = "json"
    auto_directory: str = ""
    identifier: str = "kahi"
    syslog: SyslogTarget = SyslogTarget()


class Destinations:
    """Opens, adjusts and closes the outlets of channels, on the thread that has the channel.

    Args:
        report: has something called on the event loop.
        on_refusal: told of a channel whose log file refuses data.
    """

    def __init__(
        self,
        settings: OutputSettings,
        system: System,
        events: EventBus,
        report: Callable[[Callable[[], None]], None],
        on_refusal: Callable[[Channel], None],
    ) -> None:
        self._settings = settings
        self._system = system
        self._events = events
        self._report = report
        self._on_refusal = on_refusal
        self._consoles = {
            fd: Console(fd, system, partial(self._console_trouble, name))
            for fd, name in ((1, "stdout"), (2, "stderr"))
        }
        self._syslog: SyslogSender | None = None

    def places(self, channel: Channel) -> frozenset[Hashable]:
        """What may hold up a channel, as far as it is known before it is opened."""
        sinks = {sink.place for sink in channel.sinks}
        logfile = channel.settings.logfile
        if logfile in CONSOLES:
            return frozenset({self._consoles[CONSOLES[logfile]].identity, *sinks})
        directory = self._settings.auto_directory if logfile == "AUTO" else os.path.dirname(logfile)
        return frozenset({directory, *sinks})

    def open(self, channel: Channel, *, create: bool = True) -> None:
        """Open everything that the settings of a channel name, in place of what it had.

        A log file and a ring buffer that the settings still name go on as they are.

        Args:
            create: make the log file when it is not there.

        Raises:
            OSError: the log file can not be opened; nothing has changed then.
        """
        settings, ring = channel.settings, channel.ring
        channel.flush()
        writer = self._writer(channel, create=create)
        channel.close_outlets(ring, writer)
        channel.writer = writer
        channel.log_setting = settings.logfile
        channel.logfile = "" if writer is None else writer.file.path
        channel.places = self.places(channel)
        if writer is not None:
            channel.places |= {writer.file.device}
        if settings.strip_ansi:
            channel.stripper = AnsiStripper()
        if settings.capture_maxbytes:
            channel.capture = self._capture(channel)
        if channel.file is None and settings.buffer_maxbytes:
            channel.ring = ring or Ring(settings.buffer_maxbytes, channel.offset)
        # What may wait comes last, so that everybody else has the bytes by then.
        last = self._console_outlets(channel) if writer is None else (writer,)
        channel.outlets = (*self._quick_outlets(channel), *channel.sinks, *last)

    def adjust(self, channel: Channel, settings: StreamSettings) -> None:
        """Take over the settings that can change while the channel is open."""
        channel.settings = settings
        if channel.writer is not None:
            channel.writer.file.maxbytes = settings.maxbytes
            channel.writer.file.backups = settings.backups
        if channel.ring is not None:
            channel.ring.resize(settings.buffer_maxbytes)
        elif channel.outlets and channel.file is None and settings.buffer_maxbytes:
            channel.ring = Ring(settings.buffer_maxbytes, channel.offset)
            channel.outlets = (channel.ring, *channel.outlets)

    def close(self, limit: float) -> None:
        """Let go of what streams share; may wait up to ``limit`` seconds."""
        if self._syslog is not None:
            self._syslog.close(limit)

    def _writer(self, channel: Channel, *, create: bool) -> FileWriter | None:
        logfile = channel.settings.logfile
        if logfile in CONSOLES or logfile == "/dev/null":
            return None
        if channel.writer is not None and channel.log_setting == logfile:
            return channel.writer
        return self._open_file(channel, create=create)

    def _console_outlets(self, channel: Channel) -> tuple[Outlet, ...]:
        logfile, key = channel.settings.logfile, channel.key
        if logfile == "":
            formatter = LineFormatter(
                key.name, key.stream, self._settings.console_format, self._system.wall_clock
            )
            return (ConsoleLines(self._consoles[1], formatter),)
        if logfile in CONSOLES:
            return (RawConsole(self._consoles[CONSOLES[logfile]]),)
        return ()

    def _open_file(self, channel: Channel, *, create: bool) -> FileWriter:
        settings, key = channel.settings, channel.key
        path = settings.logfile
        is_auto = path == "AUTO"
        if is_auto:
            path = make_auto_log(
                self._settings.auto_directory, key.name, key.stream, self._settings.identifier
            )
        file = LogFile(
            path,
            settings.maxbytes,
            settings.backups,
            self._system,
            offset=channel.offset,
            create=create,
            private=is_auto,
            owner=settings.owner,
            on_trouble=partial(self.tell_trouble, channel),
        )
        return FileWriter(file, self._system, partial(self._refusal, channel))

    def _quick_outlets(self, channel: Channel) -> list[Outlet]:
        """The outlets that never wait."""
        settings, key = channel.settings, channel.key
        found: list[Outlet] = []
        if channel.ring is not None:
            found.append(channel.ring)
        if settings.events_enabled:
            found.append(Events(self._event_mail(key, captured=False), lambda: channel.pid))
        if settings.syslog:
            if self._syslog is None:
                self._syslog = SyslogSender(self._settings.syslog, self._system)
            found.append(SyslogLines(self._syslog, key.name))
        return found

    def _capture(self, channel: Channel) -> Capture:
        mail = self._event_mail(channel.key, captured=True)

        def deliver(part: bytes, overflow: int) -> None:
            if overflow:
                log.warning(
                    "%s: %d bytes between communication marks did not fit into %s_capture_maxbytes",
                    channel.key.name,
                    overflow,
                    channel.key.stream,
                )
            mail.post(channel.pid, part)

        return Capture(channel.settings.capture_maxbytes, deliver)

    def _event_mail(self, key: StreamKey, *, captured: bool) -> Mail:
        def publish(pid: int, data: bytes) -> None:
            event = ProcessOutputEvent(
                name=key.name, group=key.group, pid=pid, stream=key.stream, data=data, captured=captured
            )
            if self._events.wanted(event.type):
                self._events.publish(event)

        def overflow(dropped: int) -> None:
            log.warning(
                "%s: its %s comes too fast to be published, %d bytes were dropped",
                key.name,
                key.stream,
                dropped,
            )

        return Mail(publish, self._report, overflow)

    def tell_trouble(self, channel: Channel, problem: str) -> None:
        """Say in the log and by an event what is wrong with a log; "" that it is right again."""
        key, lost = channel.key, channel.lost_bytes
        if problem:
            log.error("%s: %s", key.name, problem)
        else:
            log.warning("%s: %s takes data again, %d bytes were lost", key.name, channel.logfile, lost)
        self._publish_trouble(key, problem, lost)

    def _refusal(self, channel: Channel, problem: str) -> None:
        if problem:
            self._on_refusal(channel)
        self.tell_trouble(channel, problem)

    def _console_trouble(self, name: str, problem: str, lost: int) -> None:
        if problem:
            log.error("%s", problem)
        else:
            log.warning("%s takes data again, %d bytes were lost", name, lost)
        self._publish_trouble(StreamKey(self._settings.identifier, "", name), problem, lost)

    def _publish_trouble(self, key: StreamKey, problem: str, lost: int) -> None:
        event = LogProblemEvent(
            name=key.name, group=key.group, stream=key.stream, problem=problem, lost_bytes=lost
        )
        self._report(lambda: self._events.publish(event))
