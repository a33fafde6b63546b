"""The kit's own plugin: it sees what plugins see, after all others."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from kahi.events import Event
from kahi.hookspecs import hookimpl
from kahi.plugins import PluginContext

NAME: Final = "kahi-testing"


class Recorder:
    """Keeps every event, and what a plugin gets to work with."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.context: PluginContext | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.up = threading.Event()
        """Set once what starts by itself has been spawned."""

    @hookimpl
    def kahi_setup(self, ctx: PluginContext) -> None:
        """Keep the context."""
        self.context = ctx
        self.loop = asyncio.get_running_loop()

    @hookimpl
    def kahi_event(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        if event.type == "SUPERVISOR_STATE_RUNNING":
            self.up.set()
