"""What a plugin gets to work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kahi.config.config import Config
    from kahi.events import EventBus
    from kahi.output import OutputStream
    from kahi.plugins.manager import PluginManager
    from kahi.supervisor import Supervisor


@dataclass(slots=True)
class PluginContext:
    """What a plugin gets to work with.

    Args:
        supervisor: all processes, and the operations on them.
        plugins: all plugins, for those that list them or call hooks of their own.
        daemon_log: the daemon's own log, to be read and followed.
        user: whom the daemon becomes after ``kahi_setup``, as ``user`` or ``user:group``; "" for
            nobody else. What that user may not read has to be imported before.
    """

    supervisor: Supervisor
    plugins: PluginManager
    daemon_log: OutputStream
    user: str = ""
    descriptors: int = field(default=0, init=False)
    """How many descriptors plugins may have open; after ``kahi_setup`` what was granted of it."""

    def need_descriptors(self, count: int) -> None:
        """Say in ``kahi_setup`` how many descriptors the plugin may have open at the same time, so
        that the limit is raised for them if it can be."""
        self.descriptors += count

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.supervisor.config

    @property
    def events(self) -> EventBus:
        """The bus of all events."""
        return self.supervisor.events
