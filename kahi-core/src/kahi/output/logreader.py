"""Reading a log by offset while it is written, rotated, cleared and moved. On any thread.

Files are recognised by device and inode, so it does not matter what they are called by the time
they are opened, and nothing but what the daemon wrote is ever read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from kahi.output.logfile import LogFile, Segment

ATTEMPTS: Final = 5
"""Rotations under the hands of a reader after which it takes what it looked for as gone."""

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class LogRead:
    """A piece of a log.

    Args:
        offset: that after its last byte.
        missed: bytes that were asked for and are gone, right before ``data``.
        ahead: an offset was asked for that has not been yet; ``offset`` is the end.
    """

    data: bytes
    offset: int
    missed: int = 0
    ahead: bool = False


def read_log(log: LogFile, offset: int, length: int) -> LogRead:
    """At most ``length`` bytes from ``offset`` on; negative counts from the end.

    A gap ends the piece; what is missing is told by the read that begins with it. Counted from the
    end, gaps do not matter.
    """
    end = log.end
    if offset > end:
        return LogRead(b"", end, ahead=True)
    at = offset if offset >= 0 else max(0, end + offset)
    data = bytearray()
    missed = 0
    while at < end and len(data) < length:
        begin, piece = _piece(log, at, min(length - len(data), end - at))
        if begin > at:
            if data and offset >= 0:
                break
            missed += min(begin, end) - at
            at = begin
            data.clear()
        if not piece:
            break
        data += piece
        at += len(piece)
    return LogRead(bytes(data), at, missed if offset >= 0 else 0)


def _piece(log: LogFile, at: int, length: int) -> tuple[int, bytes]:
    """The first bytes from ``at`` on that are still there, and the offset at which they begin."""
    for _ in range(ATTEMPTS):
        segments = log.segments
        found = _search(log, segments, at, length)
        if log.segments is segments:
            return found
    return log.end, b""


def _search(log: LogFile, segments: tuple[Segment, ...], at: int, length: int) -> tuple[int, bytes]:
    for index, segment in enumerate(segments):
        is_last = index == len(segments) - 1
        segment_end = log.end if is_last else segments[index + 1].start
        if at >= segment_end:
            continue
        at = max(at, segment.start)
        fd = _open(log, segment, len(segments) - 1 - index)
        if fd is None:
            continue
        try:
            if is_last:
                segment, segment_end = _aligned(log, segment, fd)
                at = max(at, segment.start)
            wanted = min(length, segment_end - at)
            data = os.pread(fd, wanted, at - segment.start + segment.skip) if wanted > 0 else b""
        finally:
            os.close(fd)
        if data:
            return at, data
    return log.end, b""


def _aligned(log: LogFile, segment: Segment, fd: int) -> tuple[Segment, int]:
    """The segment as it is: in a file that somebody truncated, the last byte is still the last."""
    end = log.end
    for _ in range(ATTEMPTS):
        size = os.fstat(fd).st_size
        if log.end == end:
            if size < end - segment.start + segment.skip:
                return Segment(end - size, 0, segment.identity), end
            break
        end = log.end
    return segment, end


def _open(log: LogFile, segment: Segment, number: int) -> int | None:
    """Open the file of a segment, which most likely is rotated ``number`` times; None when it is gone."""
    likely = [number, number + 1]
    others = [each for each in range(max(log.backups, 1) + 1) if each not in likely]
    for each in likely + others:
        try:
            fd = os.open(f"{log.path}.{each}" if each else log.path, _FLAGS)
        except OSError:
            continue
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) == segment.identity:
            return fd
        os.close(fd)
    return None
