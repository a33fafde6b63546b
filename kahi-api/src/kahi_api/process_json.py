"""Processes as JSON text.

Whoever watches asks for all processes again and again, and little changes between two questions. So
of each process that part of the text is kept that only changes with its state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from kahi.process import Process
from kahi.supervisor import Supervisor
from kahi.usage import Load
from kahi_api.objects import LIVING, describe, process_object
from kahi_api.usage import UsageSamples

SPARE: Final = 100
"""Texts of processes that are gone, before they are forgotten."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The text of what does not change while ``basis`` does not."""

    basis: tuple[Any, ...]
    text: str


class ProcessWriter:
    """Writes process objects as JSON. Belongs to the event-loop thread."""

    def __init__(self, supervisor: Supervisor, samples: UsageSamples) -> None:
        self._supervisor = supervisor
        self._samples = samples
        self._known: dict[str, _Known] = {}

    def one(self, process: Process) -> bytes:
        """One process."""
        return self._text(process, self._samples.latest()).encode("ascii")

    def many(self, processes: Iterable[Process]) -> bytes:
        """An array of processes."""
        usage = self._samples.latest()
        texts = [self._text(process, usage) for process in processes]
        if len(self._known) > len(self._supervisor.processes) + SPARE:
            self._known.clear()
        return f"[{','.join(texts)}]".encode("ascii")

    def _text(self, process: Process, usage: Mapping[int, Load]) -> str:
        known = self._known.get(process.name)
        basis = _basis(process)
        if known is None or known.basis != basis:
            known = self._known[process.name] = _Known(basis, _settled_text(process))
        used = usage.get(process.pid)
        cpu, memory = ("null", "null") if used is None else (used.cpu_percent, used.memory)
        return (
            f'{known.text},"uptime":{int(process.uptime)},"description":{encode_basestring_ascii(describe(process))},'
            f'"memory_bytes":{memory},"cpu_percent":{cpu}}}'
        )


def _basis(process: Process) -> tuple[Any, ...]:
    """Everything that the settled part of an object is made of."""
    return (
        process.record,
        process.definition,
        process.restarts,
        process.pid,
        process.health,
        process.started_at,
        process.stopped_at,
        process.stdout.logfile,
        process.stderr and process.stderr.logfile,
    )


def _settled_text(process: Process) -> str:
    """The object without its end and without what `LIVING` names."""
    settled = {key: value for key, value in process_object(process).items() if key not in LIVING}
    return json.dumps(settled, separators=(",", ":"))[:-1]
