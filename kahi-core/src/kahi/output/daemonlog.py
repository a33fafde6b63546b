"""The daemon's own log: the standard logging module, written by the data plane."""

from __future__ import annotations

import json
import linecache
import logging
from typing import Final

from kahi.output.console import Format, timestamp
from kahi.output.stream import OutputStream

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
"""The words of ``log_level``."""

WAITING: Final = 1024 * 1024
"""Bytes of records that wait for a log that takes none: a full terminal, a disk that hangs."""

_WORDS: Final = {level: word for word, level in LEVELS.items()}


class DaemonLogHandler(logging.Handler):
    """Hands records to the data plane, so that logging never waits for a disk or a terminal.

    Args:
        stream: the daemon's own log, an output stream like any other: it rotates, can be read back
            and followed.
    """

    def __init__(self, stream: OutputStream, log_format: Format) -> None:
        super().__init__()
        self._stream = stream
        self._format: Format = log_format
        self._dropped = 0
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line; a record is dropped and counted while too many wait."""
        if self._stream.waiting_bytes > WAITING:
            self._dropped += 1
            return
        try:
            line = self._line(record)
        except Exception:  # noqa: BLE001 - boundary: a bad log call must not hurt its caller
            self.handleError(record)
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            text = f"{dropped} records of this log were dropped, it did not take them"
            lost = logging.LogRecord(__name__, logging.WARNING, "", 0, text, None, None)
            line = self._line(lost) + line
        self._stream.feed(line)

    def _line(self, record: logging.LogRecord) -> bytes:
        message = record.getMessage()
        if record.exc_info and self.formatter is not None:
            message += "\n" + self.formatter.formatException(record.exc_info)
        if linecache.cache:
            # The whole sources that tracebacks led through: megabytes after a while, for a few lines.
            linecache.clearcache()
        level = _WORDS.get(record.levelno, record.levelname.lower())
        now = timestamp(record.created)
        if self._format == "text":
            printable = "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in message)
            return f"{now} {level} {printable}\n".encode("utf-8", "backslashreplace")
        entry: dict[str, object] = {
            "time": now,
            "level": level,
            "logger": record.name,
            "message": message,
        }
        if "audit" in record.__dict__:
            entry["audit"] = record.__dict__["audit"]
        return json.dumps(entry, ensure_ascii=True).encode() + b"\n"
