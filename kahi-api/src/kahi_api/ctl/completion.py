"""What the shell may complete: names that the daemon knows. Without a daemon, nothing, and quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from kahi.errors import KahiError
from kahi_api.ctl.target import ASK, Target

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from kahi_api.client import Client

PATIENCE: Final = 0.5
"""Seconds that a daemon has to answer."""


def processes(ctx: click.Context, parameter: click.Parameter, unfinished: str) -> list[CompletionItem]:
    """Names of processes, with their states."""
    return _items(ctx, unfinished, lambda client: [(p["name"], p["state"]) for p in client.raw_processes()])


def targets(ctx: click.Context, parameter: click.Parameter, unfinished: str) -> list[CompletionItem]:
    """Names of processes, groups as ``group:*``, members as ``group:process``, and ``all``."""

    def ask(client: Client) -> Iterable[tuple[str, str]]:
        found = client.raw_processes()
        names = {process["name"] for process in found}
        groups = sorted({p["group"] for p in found if p["group"] not in names})
        yield from ((p["name"], p["state"]) for p in found)
        yield from ((f"{group}:*", "group") for group in groups)
        if ":" in unfinished:
            yield from ((f"{p['group']}:{p['name']}", p["state"]) for p in found)
        yield "all", "all processes"

    return _items(ctx, unfinished, ask)


def active_groups(ctx: click.Context, parameter: click.Parameter, unfinished: str) -> list[CompletionItem]:
    """Names of active groups."""
    return _items(ctx, unfinished, lambda client: [(group.name, "") for group in client.groups()])


def configured_groups(
    ctx: click.Context, parameter: click.Parameter, unfinished: str
) -> list[CompletionItem]:
    """Names of the groups in the configuration."""
    return _items(ctx, unfinished, lambda client: [(g["name"], "") for g in client.config()["groups"]])


def signals(ctx: click.Context, parameter: click.Parameter, unfinished: str) -> list[CompletionItem]:
    """Names of signals."""
    from signal import Signals

    names = sorted(signal.name.removeprefix("SIG") for signal in Signals)
    return _matching(((name, "") for name in names), unfinished.upper().removeprefix("SIG"))


def log_streams(ctx: click.Context, parameter: click.Parameter, unfinished: str) -> list[CompletionItem]:
    """Names of processes, and behind one the streams that it has."""
    streams = (("stdout", "stream"), ("stderr", "stream")) if ctx.params.get("names") else ()
    return [*_matching(streams, unfinished), *targets(ctx, parameter, unfinished)]


def event_types(ctx: click.Context, parameter: click.Parameter, unfinished: str) -> list[CompletionItem]:
    """Types of events, the last of a list with commas."""
    start, comma, last = unfinished.rpartition(",")
    return _matching(((start + comma + name, "") for name in EVENT_TYPES), start + comma + last.upper())


EVENT_TYPES: Final = (
    "PROCESS",
    "PROCESS_STATE",
    *(
        f"PROCESS_STATE_{state}"
        for state in ("STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL")
    ),
    "PROCESS_HEALTH",
    "PROCESS_LOG",
    "PROCESS_COMMUNICATION",
    "PROCESS_GROUP",
    "REMOTE_COMMUNICATION",
    "SUPERVISOR_STATE",
    "CONFIG",
)


def _items(
    ctx: click.Context, unfinished: str, ask: Callable[[Client], Iterable[tuple[str, str]]]
) -> list[CompletionItem]:
    target = ctx.find_object(Target) or Target()
    if target.addr and target.password == ASK:
        return []
    try:
        with target.connect(wait=PATIENCE) as client:
            return _matching(ask(client), unfinished)
    except KahiError:
        return []


def _matching(pairs: Iterable[tuple[str, str]], unfinished: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name, help=text) for name, text in pairs if name.startswith(unfinished)]
