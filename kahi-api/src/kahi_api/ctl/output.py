"""Printing what processes print."""

from __future__ import annotations

import codecs
import sys
import threading
from typing import TYPE_CHECKING, Final

from kahi.cli.terminal import complain, wants_color

if TYPE_CHECKING:
    from kahi_api.client import LogPiece

LONGEST: Final = 64 * 1024
"""Characters of an unfinished line that wait for their end."""

PREFIX_COLORS: Final = ("\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[31m")
RESET: Final = "\x1b[0m"


class Text:
    """Turns the bytes of a log into text, whose characters may be split over two pieces.

    Args:
        escaped: for a terminal: what it might act on becomes an escape, tabs and line ends stay.
            Otherwise every byte survives encoding with ``surrogateescape``.
    """

    def __init__(self, *, escaped: bool) -> None:
        self._escaped = escaped
        errors = "replace" if escaped else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def __call__(self, data: bytes) -> str:
        """The next piece."""
        text = self._decoder.decode(data)
        if not self._escaped:
            return text
        text = text.replace("\r\n", "\n")
        if text.replace("\n", "").replace("\t", "").isprintable():
            return text
        return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


class Output:
    """Prints one log: byte for byte, or escaped where it goes to a terminal and ``raw`` does not forbid.

    Args:
        name: what is named when something of the log is missing.
    """

    def __init__(self, name: str, *, raw: bool = False) -> None:
        self._name = name
        self._text = None if raw or not sys.stdout.isatty() else Text(escaped=True)

    def show(self, piece: LogPiece) -> None:
        """Print a piece, and say what is missing before it."""
        say_what_is_missing(self._name, piece)
        data = piece.data
        if self._text is not None:
            data = self._text(data).encode(sys.stdout.encoding, "backslashreplace")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


class Merged:
    """Prints several logs line by line, each line behind the name it is from.

    May be used by several threads.
    """

    def __init__(self, names: list[str], *, raw: bool = False) -> None:
        width = max(map(len, names))
        colored = wants_color()
        escaped = not raw and sys.stdout.isatty()
        self._lock = threading.Lock()
        self._prefixes: dict[str, str] = {}
        for number, name in enumerate(names):
            prefix = f"{name.ljust(width)} | "
            if colored:
                prefix = f"{PREFIX_COLORS[number % len(PREFIX_COLORS)]}{prefix}{RESET}"
            self._prefixes[name] = prefix
        self._texts = {name: Text(escaped=escaped) for name in names}
        self._rest = dict.fromkeys(names, "")

    def show(self, name: str, piece: LogPiece) -> None:
        """Print the lines that are whole now."""
        with self._lock:
            say_what_is_missing(name, piece)
            *lines, rest = (self._rest[name] + self._texts[name](piece.data)).split("\n")
            if len(rest) > LONGEST:
                lines.append(rest)
                rest = ""
            self._rest[name] = rest
            self._write(name, lines)

    def finish(self) -> None:
        """Print what has no end yet."""
        with self._lock:
            for name, rest in self._rest.items():
                self._write(name, [rest] if rest else [])
                self._rest[name] = ""

    def _write(self, name: str, lines: list[str]) -> None:
        prefix = self._prefixes[name]
        text = "".join(f"{prefix}{line}\n" for line in lines)
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()


def say_what_is_missing(name: str, piece: LogPiece) -> None:
    """Say on stderr when a log does not go on where it was."""
    if piece.missed:
        complain(f"{name}: {piece.missed} bytes of the log are gone")
    if piece.is_reset:
        complain(f"{name}: the log is another one now; what follows is its end")
