"""Removing terminal escape sequences from a stream of bytes."""

from __future__ import annotations

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC up to BEL or ST
    rb"|\x1b[ -/]+[0-~]"  # character sets and the like
    rb"|\x1b[0-OQ-WYZ\\`-~]"  # two characters
)
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
MAX_SEQUENCE: Final = 4096
"""Bytes after which an unfinished sequence is taken for text, so that nothing is held for ever."""


class AnsiStripper:
    """Strips the pieces of one stream, also sequences that are split over pieces."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def strip(self, data: bytes) -> bytes:
        """``data`` without escape sequences; an unfinished one at its end waits for the rest."""
        text = self._held + data
        self._held = b""
        if b"\x1b" not in text:
            return text
        unfinished = _UNFINISHED.search(text, max(0, len(text) - MAX_SEQUENCE))
        if unfinished is not None:
            self._held = unfinished[0]
            text = text[: unfinished.start()]
        return _SEQUENCE.sub(b"", text)

    def finish(self) -> bytes:
        """What is still held, at the end of the stream."""
        held, self._held = self._held, b""
        return held
