"""Reading server-sent events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile("\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; ``id`` is "" when it has none.

    ``exact`` is what the data was before it became text, in base64, where text could not hold it
    (a field of Kahi's own, which other readers of the stream skip).
    """

    type: str
    data: str
    id: str
    exact: str = ""


def events(chunks: Iterable[bytes]) -> Iterator[ServerEvent | None]:
    """Parse a stream; None stands for a comment, by which the server shows that it lives."""
    rest = held = b""
    for chunk in chunks:
        text = held + chunk
        # A carriage return at the end waits: its line feed may still be on the way.
        held = b"\r" if text.endswith(b"\r") else b""
        rest += text.removesuffix(b"\r").replace(b"\r\n", b"\n")
        *blocks, rest = rest.split(b"\n\n")
        for block in blocks:
            yield _event(block.decode("utf-8", "replace"))


def _event(block: str) -> ServerEvent | None:
    kind, number, exact = "message", "", ""
    data: list[str] = []
    for line in _LINE_END.split(block):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            number = value
        elif name == "exact":
            exact = value
    return ServerEvent(kind, "\n".join(data), number, exact) if data else None
