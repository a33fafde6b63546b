"""A small client of Kahi's API: synchronous, typed, nothing underneath but the standard library.

from kahi_api.client import Client

with Client("/run/kahi.sock") as kahi:
    for process in kahi.processes():
        print(process.name, process.state)
    kahi.restart("web")
"""

from __future__ import annotations

from kahi_api.client.client import Client as Client
from kahi_api.client.errors import ApiError as ApiError
from kahi_api.client.errors import BadAddress as BadAddress
from kahi_api.client.errors import CannotConnect as CannotConnect
from kahi_api.client.errors import ClientError as ClientError
from kahi_api.client.errors import ConnectionLost as ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kahi_api.client.objects import Changes as Changes
    from kahi_api.client.objects import Event as Event
    from kahi_api.client.objects import Group as Group
    from kahi_api.client.objects import LogPiece as LogPiece
    from kahi_api.client.objects import Process as Process
    from kahi_api.client.objects import Readiness as Readiness
    from kahi_api.client.objects import Result as Result
    from kahi_api.client.objects import Version as Version

__all__ = [
    "ApiError",
    "BadAddress",
    "CannotConnect",
    "Changes",
    "Client",
    "ClientError",
    "ConnectionLost",
    "Event",
    "Group",
    "LogPiece",
    "Process",
    "Readiness",
    "Result",
    "Version",
]


def __getattr__(name: str) -> Any:
    """Values are imported when they are named: `kahi ctl status` does without them."""
    if name in __all__:
        from kahi_api.client import objects

        return getattr(objects, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
