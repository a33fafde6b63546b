"""The routes: each module names its endpoints, none holds logic of its own."""

from __future__ import annotations

from kahi_api.endpoint import Endpoint
from kahi_api.routes import (
    actions,
    config,
    daemon,
    description,
    events,
    groups,
    logs,
    probes,
    processes,
    stdin,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *processes.ENDPOINTS,
    *actions.ENDPOINTS,
    *groups.ENDPOINTS,
    *logs.ENDPOINTS,
    *stdin.ENDPOINTS,
    *config.ENDPOINTS,
    *events.ENDPOINTS,
    *probes.ENDPOINTS,
    *description.ENDPOINTS,
    *daemon.ENDPOINTS,
)
"""All routes of the API itself."""
