"""Mistakes on the command line, in one line each."""

from __future__ import annotations

import click


def explain(error: click.ClickException) -> str:
    """The whole line: which command it is about, what is wrong, and what was meant or where to read."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    text = _message(error)
    if context is None:
        return f"kahi: {text}"
    command = context.command_path
    return f"{command}: {text}" if text.endswith("?)") else f"{command}: {text} (see {command} --help)"


def _message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        text = f"no such option: {error.option_name}"
        close = error.possibilities
        return f"{text} (did you mean {min(close)}?)" if close else text
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{_name(error.param)} is missing"
    if isinstance(error, click.BadParameter) and (error.param is not None or error.param_hint):
        name = error.param_hint if error.param is None else _name(error.param)
        return f"{name}: {_plain(error.message)}"
    return _plain(error.format_message())


def is_call_for_help(error: click.ClickException) -> bool:
    """Whether it is no mistake, but a group of commands without one of them."""
    kind = getattr(click.exceptions, "NoArgsIsHelpError", None)
    return kind is not None and isinstance(error, kind)


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.metavar or (parameter.name or "").upper()).strip("[]")


def _plain(message: str) -> str:
    """In the style of all other messages: no capital, no full stop."""
    return (message[:1].lower() + message[1:]).rstrip(".")
