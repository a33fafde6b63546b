"""Numbers and moments as a person reads them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from kahi_api.objects import duration
from kahi_webui.timeline import Span

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def uptime(seconds: float) -> str:
    """``1:02:03``, "" for none."""
    return duration(seconds) if seconds else ""


def percent(value: float | None) -> str:
    """``4.2 %``; "" when it is not known."""
    if value is None:
        return ""
    return f"{value:.1f} %" if value < 10 else f"{value:.0f} %"


def size(count: float | None) -> str:
    """``12.3 MiB``; "" when it is not known."""
    if count is None:
        return ""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.1f} {_UNITS[unit]}" if unit and count < 100 else f"{count:.0f} {_UNITS[unit]}"


def clock(seconds: float) -> str:
    """The time of day of a moment (seconds since the epoch), where the daemon runs."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def spoken(spans: Iterable[Span]) -> str:
    """A timeline in words, for those who do not see it: ``running 14 min, backoff 20 s``."""
    seconds: dict[str, float] = {}
    for span in spans:
        seconds[span.state] = seconds.get(span.state, 0.0) + span.end - span.begin
    parts = [f"{state.lower()} {_length(total)}" for state, total in seconds.items()]
    return f"last 15 minutes: {', '.join(parts)}"


def _length(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
