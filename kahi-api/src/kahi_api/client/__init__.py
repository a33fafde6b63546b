"""A small client of Kahi's API: synchronous, typed, nothing underneath but the standard library.

from kahi_api.client import Client

with Client("/run/kahi.sock") as kahi:
    for process in kahi.processes():
        print(process.name, process.state)
    kahi.restart("web")
"""

from __future__ import annotations

from kahi_api.client.client import Client as Client
from kahi_api.client.client import LogPiece as LogPiece
from kahi_api.client.client import Process as Process
from kahi_api.client.client import Result as Result
from kahi_api.client.errors import ApiError as ApiError
from kahi_api.client.errors import CannotConnect as CannotConnect
from kahi_api.client.errors import ClientError as ClientError
from kahi_api.client.errors import ConnectionLost as ConnectionLost

__all__ = [
    "ApiError",
    "CannotConnect",
    "Client",
    "ClientError",
    "ConnectionLost",
    "LogPiece",
    "Process",
    "Result",
]
