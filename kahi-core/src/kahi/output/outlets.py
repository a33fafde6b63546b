"""Where the bytes of a stream go. Each outlet takes pieces in order, on the data-plane thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from kahi.boundary import PLUGIN_ERRORS
from kahi.output.console import Console, LineFormatter
from kahi.output.lines import LineGatherer, LineSplitter
from kahi.output.mail import Mail
from kahi.output.syslog import MESSAGE_LIMIT, SyslogSender

if TYPE_CHECKING:
    from kahi.hookspecs import LogSink


class Outlet(Protocol):
    """Takes what a stream prints."""

    def write(self, data: bytes) -> None:
        """Take the next piece; it may end anywhere."""
        ...

    def flush(self) -> None:
        """Pass on what was held for the rest of a line: there may be none."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class ConsoleLines:
    """Lines, dressed, on the daemon's stdout."""

    __slots__ = ("_console", "_formatter")

    def __init__(self, console: Console, formatter: LineFormatter) -> None:
        self._console = console
        self._formatter = formatter

    def write(self, data: bytes) -> None:
        """Print the lines that are complete."""
        lines = self._formatter.feed(data)
        if lines:
            self._console.write(lines)

    def flush(self) -> None:
        """Print the rest as a line."""
        rest = self._formatter.flush()
        if rest:
            self._console.write(rest)

    def close(self) -> None:
        """Print the rest."""
        self.flush()


class RawConsole:
    """The bytes as they are on the daemon's stdout or stderr, whole lines at a time."""

    __slots__ = ("_console", "_gatherer")

    def __init__(self, console: Console) -> None:
        self._console = console
        self._gatherer = LineGatherer()

    def write(self, data: bytes) -> None:
        """Print the lines that are complete."""
        whole = self._gatherer.feed(data)
        if whole:
            self._console.write(whole)

    def flush(self) -> None:
        """Print the rest."""
        rest = self._gatherer.flush()
        if rest:
            self._console.write(rest)

    def close(self) -> None:
        """Print the rest."""
        self.flush()


class SyslogLines:
    """One message to syslog for each line."""

    __slots__ = ("_lines", "_sender", "_tag")

    def __init__(self, sender: SyslogSender, tag: str) -> None:
        self._sender = sender
        self._tag = tag
        self._lines = LineSplitter(MESSAGE_LIMIT)

    def write(self, data: bytes) -> None:
        """Send the lines that are complete."""
        lines = self._lines.feed(data)
        if lines:
            self._sender.send(self._tag, lines)

    def flush(self) -> None:
        """Send the rest as a line."""
        rest = self._lines.flush()
        if rest:
            self._sender.send(self._tag, [rest])

    def close(self) -> None:
        """Send the rest."""
        self.flush()


class PluginSink:
    """A sink of a plugin. One that raises gets nothing any more.

    Args:
        on_error: told what it raised.
    """

    __slots__ = ("_on_error", "_sink", "place")

    def __init__(self, plugin: str, sink: LogSink, on_error: Callable[[BaseException], None]) -> None:
        self.place = ("plugin", plugin)
        """What holds it up if it waits: the sinks of one plugin hang together."""
        self._sink: LogSink | None = sink
        self._on_error = on_error

    def write(self, data: bytes) -> None:
        """Pass the piece on."""
        if self._sink is not None:
            try:
                self._sink.write(data)
            except PLUGIN_ERRORS as error:
                self._sink = None
                self._on_error(error)

    def flush(self) -> None:
        """Sinks get pieces as they come."""

    def close(self) -> None:
        """Tell the sink that no more comes."""
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.close()
            except PLUGIN_ERRORS as error:
                self._on_error(error)


class Events:
    """The bytes as events.

    Args:
        pid: tells whose bytes they are.
    """

    __slots__ = ("_mail", "_pid")

    def __init__(self, mail: Mail, pid: Callable[[], int]) -> None:
        self._mail = mail
        self._pid = pid

    def write(self, data: bytes) -> None:
        """Have the piece published."""
        self._mail.post(self._pid(), data)

    def flush(self) -> None:
        """Pieces are published as they come."""

    def close(self) -> None:
        """Nothing is held."""
