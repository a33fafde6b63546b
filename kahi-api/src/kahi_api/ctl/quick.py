"""`kahi ctl status`, `health` and `ready` without the command-line library.

Importing that library takes longer than all the rest of these commands, which people type all day
and health checks ask every few seconds. Only plain command lines are answered here: whatever is
unusual, wrong or asks for help is left to the commands themselves.
"""

from __future__ import annotations

from kahi_api.ctl.answers import show_health, show_ready, show_status
from kahi_api.ctl.target import Target

CONNECTION = {
    "-s": "socket",
    "--socket": "socket",
    "-c": "config",
    "--config": "config",
    "--addr": "addr",
    "-u": "username",
    "--username": "username",
    "-p": "password",
    "--password": "password",
}
"""Options with a value that every command takes, and the field of the target that each sets."""

FLAGS = ("--json", "--no-color")
"""Those of the status."""


class Plain:
    """A plain command line, taken apart."""

    __slots__ = ("command", "flags", "names", "target")

    def __init__(self) -> None:
        self.target = Target()
        self.command = ""
        self.names: list[str] = []
        self.flags: set[str] = set()


def parse(arguments: list[str]) -> Plain | None:
    """Take a command line apart; None when it is not a plain one."""
    plain = Plain()
    rest = iter(arguments)
    for argument in rest:
        if argument in CONNECTION:
            value = next(rest, None)
            if value is None:
                return None
            setattr(plain.target, CONNECTION[argument], value)
        elif argument in FLAGS and plain.command == "status":
            plain.flags.add(argument)
        elif argument == "--process" and plain.command == "ready":
            value = next(rest, None)
            if value is None:
                return None
            plain.names = [name for name in value.split(",") if name]
        elif argument.startswith("-"):
            return None
        elif not plain.command:
            plain.command = argument
        elif plain.command == "status":
            plain.names.append(argument)
        else:
            return None
    if plain.target.addr and plain.target.socket:
        return None
    return plain if plain.command in ("status", "health", "ready") else None


def answer(arguments: list[str]) -> int | None:
    """Answer a plain command line; returns its exit code, or None when it is not one."""
    plain = parse(arguments)
    if plain is None:
        return None
    if plain.command == "health":
        return show_health(plain.target)
    if plain.command == "ready":
        return show_ready(plain.target, plain.names)
    return show_status(
        plain.target,
        plain.names,
        as_json="--json" in plain.flags,
        no_color="--no-color" in plain.flags,
    )
