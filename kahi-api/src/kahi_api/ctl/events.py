"""`kahi ctl events`: what happened, and what happens."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from kahi.cli.terminal import complain, printable
from kahi_api.ctl.completion import event_types
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.tail import waits
from kahi_api.ctl.target import Target

if TYPE_CHECKING:
    from kahi_api.client import Event

IMPLIED = ("type", "serial", "time", "state")
"""Fields that every event has, or that its type tells."""


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on printing what happens, until Ctrl-C.")
@click.option(
    "--types",
    default="",
    metavar="A,B",
    help="Only events whose type is one of these or begins with it, such as process_state.",
    shell_complete=event_types,
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on each line.")
@connection_options
@pass_target
def events(target: Target, follow: bool, types: str, as_json: bool) -> None:
    """Print what happened recently. With -f, go on until Ctrl-C."""
    wanted = [each.strip().upper() for each in types.split(",") if each.strip()]
    with target.connect() as client:
        last = 0
        for event in client.events():
            last = event.serial
            if not wanted or any(_is_below(event.type, prefix) for prefix in wanted):
                _print(event, as_json)
        if not follow:
            return
        for event in client.follow_events(wanted, since=last, waiting=waits):
            if event.type == "dropped":
                complain(f"{event.data.get('events', 'some')} events were missed")
            elif event.type == "reset":
                complain("another daemon is there now; what it did before is not shown")
            else:
                _print(event, as_json)


def _is_below(kind: str, prefix: str) -> bool:
    return prefix in ("EVENT", kind) or kind.startswith(f"{prefix}_")


def _print(event: Event, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"type": event.type, "serial": event.serial, **event.data}))
    else:
        click.echo(line(event))
    sys.stdout.flush()


def line(event: Event) -> str:
    """One event on one line: when, what, and those of its fields that say something."""
    fields = dict(event.data)
    when = str(fields.get("time", ""))
    name = fields.pop("name", None) or fields.get("group") or ""
    if fields.get("group") == name:
        del fields["group"]
    if not event.type.endswith("_EXITED"):
        fields.pop("expected", None)
    told = [
        f"{key}={_value(value)}"
        for key, value in fields.items()
        if (key not in IMPLIED and value not in ("", None, 0, [])) or value is False
    ]
    return printable(" ".join(filter(None, [when, event.type, str(name), *told])))


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text) if " " in text else text
