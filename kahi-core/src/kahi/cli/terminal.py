"""Text on its way to a terminal."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def printable(text: str) -> str:
    """``text`` without anything that a terminal would act on."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def wants_color(stream: TextIO | None = None) -> bool:
    """Whether colours may be used on a stream, stdout by default: a terminal that nobody forbade them."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return (stream or sys.stdout).isatty()


def complain(message: str) -> None:
    """Print a message for a person: one line on stderr that says who speaks."""
    sys.stdout.flush()
    print(f"kahi: {printable(message)}", file=sys.stderr, flush=True)  # noqa: T201
