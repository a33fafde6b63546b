"""The group of commands, each imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from kahi.cli.lazy import LazyGroup
from kahi_api.ctl.options import connection_options

COMMANDS: Final[Mapping[str, str]] = {
    "status": "kahi_api.ctl.status:status",
    "start": "kahi_api.ctl.operate:start",
    "stop": "kahi_api.ctl.operate:stop",
    "restart": "kahi_api.ctl.operate:restart",
    "signal": "kahi_api.ctl.operate:signal",
    "tail": "kahi_api.ctl.tail:tail",
    "maintail": "kahi_api.ctl.tail:maintail",
    "clear": "kahi_api.ctl.logs:clear",
    "reopen": "kahi_api.ctl.logs:reopen",
    "send": "kahi_api.ctl.attach:send",
    "attach": "kahi_api.ctl.attach:attach",
    "fg": "kahi_api.ctl.attach:fg",
    "reread": "kahi_api.ctl.config:reread",
    "update": "kahi_api.ctl.config:update",
    "reload": "kahi_api.ctl.config:reload",
    "avail": "kahi_api.ctl.config:avail",
    "add": "kahi_api.ctl.config:add",
    "remove": "kahi_api.ctl.config:remove",
    "pid": "kahi_api.ctl.daemon:pid",
    "version": "kahi_api.ctl.daemon:version",
    "health": "kahi_api.ctl.probes:health",
    "ready": "kahi_api.ctl.probes:ready",
    "events": "kahi_api.ctl.events:events",
    "shell": "kahi_api.ctl.shell:shell",
    "shutdown": "kahi_api.ctl.daemon:shutdown",
}


@click.group(cls=LazyGroup, table=COMMANDS, invoke_without_command=True)
@connection_options
@click.pass_context
def ctl(ctx: click.Context) -> None:
    """Look at a running daemon and operate it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
