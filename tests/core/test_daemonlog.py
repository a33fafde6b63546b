"""Records of the daemon's own log."""

from __future__ import annotations

import json
import linecache
import logging

import pytest

from kahi.output.console import Format
from kahi.output.daemonlog import DaemonLogHandler


class Stream:
    """Keeps what is fed."""

    waiting_bytes = 0

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def feed(self, line: bytes) -> None:
        """Keep it."""
        self.lines.append(line)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_shows_its_source_and_leaves_none_in_memory(log_format: Format) -> None:
    stream = Stream()
    handler = DaemonLogHandler(stream, log_format)  # type: ignore[arg-type]
    try:
        raise RuntimeError("seen once")
    except RuntimeError as error:
        record = logging.LogRecord("kahi", logging.ERROR, "", 0, "it failed", None, None)
        record.exc_info = (type(error), error, error.__traceback__)
    handler.emit(record)
    (line,) = stream.lines
    text = json.loads(line)["message"] if log_format == "json" else line.decode()
    assert 'raise RuntimeError("seen once")' in text
    assert linecache.cache == {}
