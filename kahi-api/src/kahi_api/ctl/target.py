"""Which daemon a command is for; the options may stand before or after the command."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from kahi_api.client import Client
from kahi_api.location import default_socket, socket_of_config

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(slots=True)
class Target:
    """What the command line says about the daemon; "" for nothing."""

    socket: str = ""
    config: str = ""

    def path(self) -> str:
        """The control socket: named, from $KAHI_SOCKET, from the configuration, or the default."""
        environ = os.environ
        if self.socket:
            return self.socket
        if not self.config and environ.get("KAHI_SOCKET"):
            return environ["KAHI_SOCKET"]
        return socket_of_config(self.config, environ) or default_socket(environ, os.geteuid())

    def connect(self, wait: float | None = None) -> Client:
        """A client; ``wait`` bounds each answer in seconds."""
        return Client(self.path(), timeout=wait)


def connection_options(function: FunctionT) -> FunctionT:
    """Add the options that say which daemon is meant."""
    socket = click.option(
        "-s",
        "--socket",
        metavar="PATH",
        help="Control socket of the daemon.",
        callback=_remember,
        expose_value=False,
    )
    config = click.option(
        "-c",
        "--config",
        metavar="FILE",
        help="Configuration that names the socket.",
        callback=_remember,
        expose_value=False,
    )
    return socket(config(function))


def _remember(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    target = ctx.ensure_object(Target)
    if value is not None and parameter.name:
        setattr(target, parameter.name, value)


pass_target = click.make_pass_decorator(Target, ensure=True)
