"""What a process needs of the daemon around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kahi.definition import ProcessDefinition
from kahi.events import EventBus
from kahi.launch import Launch
from kahi.ledger import Ledger
from kahi.leftovers import GroupScans
from kahi.output import OutputStream
from kahi.reaper import Reaper
from kahi.system import System

if TYPE_CHECKING:
    from kahi.process.process import Process

Prepare = Callable[["Process", Launch], Awaitable[Launch]]


class Health(Protocol):
    """What watches whether a running process does its work."""

    @property
    def status(self) -> str:
        """``none``, ``starting``, ``healthy`` or ``unhealthy``."""
        ...

    @property
    def remark(self) -> str:
        """What it last said about itself, for people; "" for nothing."""
        ...


@dataclass(slots=True)
class Host:
    """The daemon, as its processes see it.

    Args:
        environment: the daemon's own, for children that inherit it.
        server_url: where the control socket is served, "" when it is not.
        prepare: asked before each spawn; None when no plugin wants to be.
        input_for: gives a process its stdin in place of a pipe (FastCGI sockets), as a descriptor
            that stays open, or None.
        environment_for: gives a process the environment that it is started with, made from the one
            that it would have; raises SpawnError. None when nobody has anything to say to it.
        on_change: told after each change of state has been published.
        open_stream: makes the stream of a process that is called ``stdout`` or ``stderr``.
        reopen_logs: opens all log files anew; gives what went wrong.
        ledger: where children are noted, for whoever comes after the daemon; None for nowhere.
    """

    system: System
    loop: asyncio.AbstractEventLoop
    reaper: Reaper
    group_scans: GroupScans
    events: EventBus
    environment: Mapping[str, str]
    on_change: Callable[[Process], None]
    open_stream: Callable[[ProcessDefinition, str], OutputStream]
    reopen_logs: Callable[[], Awaitable[list[str]]]
    ledger: Ledger | None = None
    server_url: str = ""
    prepare: Prepare | None = None
    input_for: Callable[[Process], int | None] | None = None
    environment_for: Callable[[Process, Mapping[str, str]], Mapping[str, str]] | None = None
