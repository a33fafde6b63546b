"""Which daemon a command is for; the options may stand before or after the command."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from kahi_api.client import Client
from kahi_api.location import default_socket, socket_of_config

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

ASK: Final = "-"
"""The password that stands for asking."""


@dataclass(slots=True)
class Target:
    """What the command line says about the daemon; "" for nothing."""

    socket: str = ""
    config: str = ""
    addr: str = ""
    username: str = ""
    password: str = ""

    def address(self) -> str:
        """Where the daemon is: named, from $KAHI_SOCKET, from the configuration, or the default.

        Raises:
            click.UsageError: it is said twice.
        """
        environ = os.environ
        if self.addr:
            if self.socket:
                raise click.UsageError("--socket and --addr exclude each other")
            return self.addr if "://" in self.addr else f"http://{self.addr}"
        if self.socket:
            return self.socket
        if not self.config and environ.get("KAHI_SOCKET"):
            return environ["KAHI_SOCKET"]
        return socket_of_config(self.config, environ) or default_socket(environ, os.geteuid())

    def connect(self, wait: float | None = None) -> Client:
        """A client; ``wait`` bounds each answer in seconds."""
        address = self.address()
        if not self.addr:
            return Client(address, timeout=wait)
        self.ask_password()
        username = self.username or os.environ.get("KAHI_USERNAME", "")
        password = self.password or os.environ.get("KAHI_PASSWORD", "")
        return Client(address, username=username, password=password, timeout=wait)

    def ask_password(self) -> None:
        """Ask for the password, if that is what was said; asks once."""
        if self.addr and self.password == ASK:
            self.password = click.prompt("Password", hide_input=True, err=True)


def connection_options(function: FunctionT) -> FunctionT:
    """Add the options that say which daemon is meant."""
    for flags, metavar, explanation in reversed(_OPTIONS):
        function = click.option(
            *flags,
            metavar=metavar,
            help=explanation,
            callback=_remember,
            expose_value=False,
            type=click.Path() if metavar in ("PATH", "FILE") else None,
        )(function)
    return function


_OPTIONS: Final = (
    (("-s", "--socket"), "PATH", "Control socket of the daemon."),
    (("-c", "--config"), "FILE", "Configuration that names the socket."),
    (("--addr",), "HOST:PORT", "Address of the daemon; https://HOST:PORT speaks TLS."),
    (("-u", "--username"), "USER", "User for --addr; default: $KAHI_USERNAME."),
    (("-p", "--password"), "PASSWORD", "Password for --addr; - asks; default: $KAHI_PASSWORD."),
)


def _remember(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    target = ctx.ensure_object(Target)
    if value is not None and parameter.name:
        setattr(target, parameter.name, value)


pass_target = click.make_pass_decorator(Target, ensure=True)
