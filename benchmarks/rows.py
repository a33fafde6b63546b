"""The rows of the table: what a figure is called, what it counts, and the goal it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Limit(Protocol):
    """One condition that a figure of Kahi has to meet."""

    def met(self, value: float, others: Mapping[str, float]) -> bool | None:
        """Whether it does; None when there is nothing to compare with."""
        ...

    def text(self, unit: Unit) -> str:
        """The condition in signs."""
        ...


@dataclass(frozen=True)
class AtMost:
    """No more than that much."""

    value: float

    def met(self, value: float, others: Mapping[str, float]) -> bool | None:
        """See `Limit`."""
        return value <= self.value

    def text(self, unit: Unit) -> str:
        """See `Limit`."""
        return f"≤ {unit.text(self.value)}"


@dataclass(frozen=True)
class AtMostTimes:
    """No more than ``factor`` of what another supervisor takes."""

    factor: float
    other: str

    def met(self, value: float, others: Mapping[str, float]) -> bool | None:
        """See `Limit`."""
        return value <= self.factor * others[self.other] if self.other in others else None

    def text(self, unit: Unit) -> str:
        """See `Limit`."""
        return f"≤ {self.factor:g} × {self.other}"


@dataclass(frozen=True)
class AtLeastTimes:
    """No less than ``factor`` of what another supervisor manages."""

    factor: float
    other: str

    def met(self, value: float, others: Mapping[str, float]) -> bool | None:
        """See `Limit`."""
        return value >= self.factor * others[self.other] if self.other in others else None

    def text(self, unit: Unit) -> str:
        """See `Limit`."""
        return f"≥ {self.factor:g} × {self.other}"


@dataclass(frozen=True)
class Unit:
    """How a figure is written: ``scale`` of the one it is measured in.

    Args:
        digits: behind the point below 10; above 100 there are none.
    """

    name: str
    scale: float = 1.0
    digits: int = 2

    def text(self, value: float) -> str:
        """With its name."""
        return f"{self.number(value)} {self.name}".strip()

    def number(self, value: float) -> str:
        """Without it."""
        scaled = value * self.scale
        digits = 0 if abs(scaled) >= 100 else min(self.digits, 1 if abs(scaled) >= 10 else self.digits)
        text = f"{scaled:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


MS = Unit("ms", 1000)
SECONDS = Unit("s")
MIB = Unit("MiB", 1 / 1024**2)
KIB = Unit("KiB", 1 / 1024)
COUNT = Unit("", 1, 0)
RATE = Unit("MB/s", 1e-6, 0)
PER_GIGABYTE = Unit("CPU s/GB")
PER_SECOND = Unit("/s", 1, 0)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        key: what the measure calls the figure.
        limits: the goal, all of it; without any the row only informs.
    """

    key: str
    title: str
    unit: Unit
    limits: tuple[Limit, ...] = ()


def _crowd(
    count: int, *, start: float, stop: float, gone: float, status: float, ctl: float, reload: float
) -> tuple[Row, ...]:
    many = f"{count:,} programs"
    return (
        Row(f"start of {count}", f"start of {many}: exec → all running", SECONDS, (AtMost(start),)),
        Row(
            f"first to last of {count}",
            f"start of {many}: first running → all running",
            MS,
            (AtMostTimes(1.5, "the floor"),),
        ),
        Row(f"stop of {count}", f"stop of {many}: signal → all gone", MS, (AtMost(stop),)),
        Row(f"gone of {count}", f"stop of {many}: signal → daemon gone", MS, (AtMost(gone),)),
        Row(f"status of {count}", f"status of {many} over the socket", MS, (AtMost(status),)),
        Row(f"status size of {count}", f"status of {many}: size of the answer", KIB),
        Row(f"ctl status of {count}", f"`ctl status` of {many} as a process", MS, (AtMost(ctl),)),
        Row(f"CPU of ctl status of {count}", f"`ctl status` of {many}: its CPU", MS),
        Row(f"reload of {count}", f"reload of {many}, nothing changed", MS, (AtMost(reload),)),
        Row(f"descriptors of {count}", f"descriptors with {many}", COUNT),
    )


def _log(name: str, title: str) -> tuple[Row, ...]:
    return (
        Row(f"log {name} rate", f"log to file, {title}", RATE, (AtLeastTimes(1.2, "supervisord"),)),
        Row(
            f"log {name} CPU", f"log to file, {title}: CPU", PER_GIGABYTE, (AtMostTimes(0.8, "supervisord"),)
        ),
    )


ROWS: tuple[Row, ...] = (
    Row(
        "first child",
        "exec of the daemon → first child running",
        MS,
        (AtMost(0.150), AtMostTimes(0.15, "supervisord")),
    ),
    Row("first answer", "exec → API answers, everything on", MS, (AtMostTimes(1.5, "supervisord"),)),
    Row(
        "first answer, alone",
        "exec → API answers, core and API alone",
        MS,
        (AtMostTimes(1.2, "supervisord"),),
    ),
    *_crowd(100, start=0.5, stop=0.1, gone=0.3, status=0.002, ctl=0.060, reload=0.050),
    *_crowd(1000, start=1.3, stop=0.4, gone=0.8, status=0.008, ctl=0.090, reload=0.300),
    Row("restart, median", "restart after SIGKILL, 100 programs: median", MS, (AtMost(0.004),)),
    Row("restart, p99", "restart after SIGKILL, 100 programs: p99", MS, (AtMost(0.010),)),
    Row("crash", "crash storm, 100 programs: CPU per respawn", MS, (AtMost(0.0006),)),
    Row("crash rate", "crash storm, 100 programs: respawns", PER_SECOND),
    Row("idle switches", "idle, 100 programs, 20 s: context switches", COUNT, (AtMost(0),)),
    Row("idle CPU", "idle, 100 programs, 20 s: CPU", MS, (AtMost(0),)),
    Row("memory base", "memory: base, with the API", MIB, (AtMost(30 * 1024**2),)),
    Row("memory each", "memory: each program more", KIB, (AtMost(10 * 1024),)),
    *_log("64 KiB", "64 KiB writes"),
    *_log("lines", "writes of one line"),
    *_log("lines of 4", "writes of one line, 4 programs (one program is itself the limit)"),
    *_log("of 50", "50 programs"),
    Row("flood, median", "API while 4 programs flood their logs: median", MS),
    Row("flood, p99", "API while 4 programs flood their logs: p99", MS, (AtMost(0.025),)),
    Row("frozen", "API while the log disk is frozen for 5 s: slowest", MS, (AtMost(0.100),)),
    Row("frozen, lost", "log disk frozen for 5 s: lines lost", COUNT, (AtMost(0),)),
    Row("events", "10,000 events/s to 3 subscribers: loop lag p99", MS, (AtMost(0.010),)),
    Row("CPU of an event", "10,000 events/s to 3 subscribers: CPU per event", Unit("µs", 1e6)),
)
"""The whole table, from top to bottom. The goals are those of the project's `goals.md`."""
