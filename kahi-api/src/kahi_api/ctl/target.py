"""Which daemon a command is for."""

from __future__ import annotations

import os

from kahi_api.client import Client
from kahi_api.location import default_socket, socket_of_config

ASK = "-"
"""The password that stands for asking."""


class Target:
    """What the command line says about the daemon; "" for nothing."""

    __slots__ = ("addr", "config", "password", "socket", "username")

    def __init__(self) -> None:
        self.socket = ""
        self.config = ""
        self.addr = ""
        self.username = ""
        self.password = ""

    def copy(self) -> Target:
        """Another one that says the same."""
        other = Target()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def address(self) -> str:
        """Where the daemon is: named, from $KAHI_SOCKET, from the configuration, or the default.

        Raises:
            click.UsageError: it is said twice.
        """
        environ = os.environ
        if self.addr:
            if self.socket:
                import click

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
            import click

            self.password = click.prompt("Password", hide_input=True, err=True)
