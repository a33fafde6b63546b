"""What every route declares: path, method, who may use it, and who answers."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


class Access(enum.Enum):
    """Who may use a route."""

    PUBLIC = "public"
    """Anybody who can connect: probes."""
    READ = "read"
    """Looking."""
    OPERATE = "operate"
    """Starting, stopping, signalling processes."""
    ADMIN = "admin"
    """Changing the configuration, ending the daemon."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route.

    Args:
        path: as Starlette writes it, with ``{name}`` for parameters.
        summary: one line on what it does, for the description of the API.
    """

    method: str
    path: str
    access: Access
    handler: Handler
    summary: str
