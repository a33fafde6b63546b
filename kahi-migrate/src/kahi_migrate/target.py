"""Formats that `kahi export` writes: what a plugin gives to the hook ``kahi_export_formats``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kahi_migrate.export.workload import Workloads


@dataclass(frozen=True, slots=True)
class Output:
    """A file to be written."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class TargetFormat:
    """A format of another program.

    Args:
        name: what the command line calls it.
        title: what it is, for people.
        write: makes the files; what it can not express it says with ``Workloads.warn``.
    """

    name: str
    title: str
    write: Callable[[Workloads], Sequence[Output]]
