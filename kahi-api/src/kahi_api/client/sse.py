"""Reading server-sent events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; ``id`` is "" when it has none."""

    type: str
    data: str
    id: str


def events(chunks: Iterable[bytes]) -> Iterator[ServerEvent | None]:
    """Parse a stream; None stands for a comment, by which the server shows that it lives."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        *blocks, rest = rest.split(b"\n\n")
        for block in blocks:
            yield _event(block.decode("utf-8", "replace"))


def _event(block: str) -> ServerEvent | None:
    kind, number = "message", ""
    data: list[str] = []
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            number = value
    return ServerEvent(kind, "\n".join(data), number) if data else None
