"""The options that say which daemon is meant; they may stand before or after the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from kahi_api.ctl.target import Target

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


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
