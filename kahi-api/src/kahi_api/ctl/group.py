"""The group of commands, each imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

import click

from kahi_api.ctl.target import connection_options

COMMANDS: Final[Mapping[str, str]] = {
    "status": "kahi_api.ctl.status:status",
    "start": "kahi_api.ctl.operate:start",
    "stop": "kahi_api.ctl.operate:stop",
    "restart": "kahi_api.ctl.operate:restart",
    "tail": "kahi_api.ctl.tail:tail",
    "reread": "kahi_api.ctl.config:reread",
    "update": "kahi_api.ctl.config:update",
    "reload": "kahi_api.ctl.config:reload",
    "avail": "kahi_api.ctl.config:avail",
    "add": "kahi_api.ctl.config:add",
    "remove": "kahi_api.ctl.config:remove",
    "version": "kahi_api.ctl.daemon:version",
    "shutdown": "kahi_api.ctl.daemon:shutdown",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), attribute)


@click.group(cls=_Commands)
@connection_options
def ctl() -> None:
    """Look at a running daemon and operate it."""
