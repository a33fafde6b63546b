"""What can be done to processes, by the words that requests use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from kahi.process import Process
from kahi.supervisor import Outcome, Supervisor

Operation = Callable[[Supervisor, Sequence[Process], bool, bool], Awaitable[list[Outcome]]]
"""Supervisor, processes, whether to wait, and whether one that is there already is an error."""


async def _start(s: Supervisor, processes: Sequence[Process], wait: bool, strict: bool) -> list[Outcome]:
    return await s.start(processes, wait=wait, strict=strict)


async def _stop(s: Supervisor, processes: Sequence[Process], wait: bool, strict: bool) -> list[Outcome]:
    return await s.stop(processes, wait=wait, strict=strict)


async def _restart(s: Supervisor, processes: Sequence[Process], wait: bool, strict: bool) -> list[Outcome]:
    return await s.restart(processes, wait=wait)


OPERATIONS: Final[Mapping[str, Operation]] = {"start": _start, "stop": _stop, "restart": _restart}
