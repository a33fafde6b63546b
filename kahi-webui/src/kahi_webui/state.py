"""What the web page knows and keeps while the daemon runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kahi.usage import Load
from kahi_webui.live import Viewers
from kahi_webui.samples import Samples
from kahi_webui.timeline import Timelines

if TYPE_CHECKING:
    from kahi.plugins import PluginContext
    from kahi.process import Process
    from kahi.supervisor import Supervisor
    from kahi_webui.hookspecs import Column, Page


class WebUi:
    """Everything the pages are made from. Belongs to the event-loop thread."""

    def __init__(self, ctx: PluginContext) -> None:
        self.ctx = ctx
        self.timelines = Timelines()
        self.samples = Samples()
        self.latest: Mapping[str, Load] = {}
        """What each process used when it was last looked at."""
        self.viewers = Viewers()
        self.columns: Sequence[tuple[str, Column]] = ()
        """Columns of other plugins, each with the plugin's name."""
        self.pages: Sequence[tuple[str, Page]] = ()
        """Pages of other plugins, likewise."""

    @property
    def supervisor(self) -> Supervisor:
        """All processes, and the operations on them."""
        return self.ctx.supervisor

    @staticmethod
    def now() -> float:
        """Seconds since the epoch, as events and samples are stamped."""
        return time.time()

    def column_values(self, process: Process) -> list[str]:
        """What the columns of other plugins say of a process; one that raises says nothing."""
        values: list[str] = []
        for plugin, column in self.columns:
            try:
                values.append(str(column.value(process)))
            except Exception as error:  # noqa: BLE001 - boundary: plugins
                self.ctx.plugins.count_error(plugin, f"column {column.title!r}", error)
                values.append("")
        return values

    def note_sample(self, now: float, usage: Mapping[str, Load]) -> None:
        """Take in what all processes use now, and tell those who look."""
        self.latest = usage
        self.samples.add(now, usage)
        self.viewers.show_usage()

    def forget_removed(self) -> None:
        """Let go of processes that left the configuration."""
        names = set(self.supervisor.processes)
        self.timelines.keep_only(names)
        self.samples.keep_only(names)
