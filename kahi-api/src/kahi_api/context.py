"""What the routes work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from kahi.plugins import PluginContext
from kahi.system import System
from kahi_api import limits
from kahi_api.authentication import Authenticator
from kahi_api.endpoint import Endpoint
from kahi_api.event_feed import EventFeed
from kahi_api.process_json import ProcessWriter
from kahi_api.streams import Streams
from kahi_api.usage import UsageSamples


@dataclass(slots=True)
class ApiContext:
    """The daemon as the API sees it.

    Args:
        authenticator: tells who makes a request.
        streams: all open streams of server-sent events.
        endpoints: everything that is served.
        description: of that, once somebody asked for it.
        attached: names of the processes that somebody is attached to.
    """

    daemon: PluginContext
    authenticator: Authenticator
    streams: Streams = field(default_factory=lambda: Streams(limits.STREAMS))
    endpoints: Sequence[Endpoint] = ()
    description: dict[str, Any] | None = None
    attached: set[str] = field(default_factory=set[str])
    _feed: EventFeed | None = None
    _processes: ProcessWriter | None = None

    @property
    def feed(self) -> EventFeed:
        """What streams of events read from."""
        if self._feed is None:
            self._feed = EventFeed(self.daemon.events)
        return self._feed

    @property
    def processes(self) -> ProcessWriter:
        """What writes processes as JSON."""
        if self._processes is None:
            supervisor = self.daemon.supervisor
            self._processes = ProcessWriter(supervisor, UsageSamples(supervisor, System()))
        return self._processes


def context_of(request: Request) -> ApiContext:
    """The context of the application that serves ``request``."""
    return request.app.state.context
