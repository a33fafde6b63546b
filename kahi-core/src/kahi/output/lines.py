"""Putting the pieces of a stream together to whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

LINE_LIMIT: Final = 64 * 1024
"""Bytes after which a line without an end is passed on all the same."""


class LineSplitter:
    """Cuts one stream into lines, without their newlines.

    Args:
        limit: a longer line is cut into pieces of at most that many bytes, between characters.
    """

    __slots__ = ("_limit", "_partial")

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes."""
        lines = data.split(b"\n")
        lines[0] = self._partial + lines[0]
        self._partial = lines.pop()
        limit = self._limit
        if len(self._partial) > limit:
            *pieces, self._partial = _pieces(self._partial, limit)
            lines += pieces
        if len(data) > limit or (lines and len(lines[0]) > limit):
            return [piece for line in lines for piece in _pieces(line, limit)]
        return lines

    def flush(self) -> bytes:
        """The rest that never got its newline, "" when there is none."""
        partial, self._partial = self._partial, b""
        return partial


class LineGatherer:
    """Holds back the beginning of a line until the rest comes; the bytes stay as they are."""

    __slots__ = ("_partial",)

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> bytes:
        """The whole lines that there are by now; an endless one in pieces."""
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._partial += data
            return self.flush() if len(self._partial) > LINE_LIMIT else b""
        if len(data) - cut > LINE_LIMIT:
            cut = len(data)
        whole = self._partial + data[:cut]
        self._partial = data[cut:]
        return whole

    def flush(self) -> bytes:
        """The rest that never got its newline."""
        partial, self._partial = self._partial, b""
        return partial


def _pieces(line: bytes, limit: int) -> Iterator[bytes]:
    while len(line) > limit:
        piece = whole_characters(line[:limit])
        yield piece
        line = line[len(piece) :]
    yield line


def whole_characters(data: bytes) -> bytes:
    """``data`` without a UTF-8 character that only begins at its end, unless it is nothing else."""
    return data[: len(data) - begun_character(data)] or data


def begun_character(data: bytes) -> int:
    """How many bytes at the end of ``data`` belong to a UTF-8 character that is not complete."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return back if needed > back else 0
    return 0
