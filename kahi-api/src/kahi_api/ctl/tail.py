"""`kahi ctl tail`, `maintail`: what processes and the daemon printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from kahi.cli.terminal import complain
from kahi.errors import KahiError
from kahi_api.ctl.completion import log_streams
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.output import Merged, Output
from kahi_api.ctl.selection import choose
from kahi_api.ctl.target import Target

if TYPE_CHECKING:
    from kahi_api.client import Client, ClientError, LogPiece

STREAMS: Final = ("stdout", "stderr")
LARGEST: Final = 1024 * 1024
"""Bytes of one request for a piece of a log."""

Read = Callable[[int, int], "LogPiece"]
"""Reads from an offset at most so many bytes."""


def _log_options(function: Any) -> Any:
    for option in (
        click.option("--raw", is_flag=True, help="To a terminal too, print escape sequences as they are."),
        click.option(
            "--bytes",
            "count",
            type=click.IntRange(min=0),
            default=1600,
            metavar="N",
            show_default=True,
            help="How much of the end to print.",
        ),
        click.option("-f", "--follow", is_flag=True, help="Go on printing what comes, until Ctrl-C."),
    ):
        function = option(function)
    return function


@click.command()
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME... [stdout|stderr]", shell_complete=log_streams
)
@_log_options
@connection_options
@pass_target
def tail(target: Target, names: tuple[str, ...], follow: bool, count: int, raw: bool) -> None:
    """Print the end of what processes printed. With -f, go on until Ctrl-C.

    Following goes on over restarts of the process and of the daemon. Several names, group:*,
    patterns and all print the logs of all of them, each line behind the name of its process. To a
    terminal, what it might act on is printed as an escape.
    """
    stream = "stdout"
    if len(names) > 1 and names[-1] in STREAMS:
        *names, stream = names  # type: ignore[assignment]
    with target.connect() as client:
        chosen = _chosen(client, names)
        if len(chosen) > 1:
            _merged(target, client, chosen, stream, follow, count, raw)
            return
        name = chosen[0]
        output = Output(name, raw=raw)
        offset = 0
        for piece in end_of(_reader(client, name, stream), count):
            output.show(piece)
            offset = piece.offset
        if follow:
            for piece in client.follow_log(name, stream, offset=offset, waiting=waits):
                output.show(piece)


@click.command()
@_log_options
@connection_options
@pass_target
def maintail(target: Target, follow: bool, count: int, raw: bool) -> None:
    """Print the end of the daemon's own log. With -f, go on until Ctrl-C."""
    output = Output("the daemon", raw=raw)
    with target.connect() as client:
        offset = 0
        for piece in end_of(lambda at, length: client.daemon_log(offset=at, length=length), count):
            output.show(piece)
            offset = piece.offset
        if follow:
            for piece in client.follow_daemon_log(offset=offset, waiting=waits):
                output.show(piece)


def _reader(client: Client, name: str, stream: str) -> Read:
    return lambda at, length: client.log(name, stream, offset=at, length=length)


def end_of(read: Read, count: int) -> Iterator[LogPiece]:
    """The last ``count`` bytes of a log, in pieces; at least one, which tells the offset."""
    from kahi_api.client import LogPiece

    if count == 0:
        piece = read(-1, 1)
        yield LogPiece(b"", piece.offset)
        return
    piece = read(-count, min(count, LARGEST))
    yield piece
    left = count - len(piece.data)
    while left > 0 and len(piece.data) == LARGEST:
        piece = read(piece.offset, min(left, LARGEST))
        left -= len(piece.data)
        yield piece


def waits(problem: ClientError) -> None:
    """Say that the daemon is waited for."""
    complain(f"{problem}; waiting for it to come back")


def _chosen(client: Client, names: Sequence[str]) -> list[str]:
    """Names of the processes that are meant.

    Raises:
        KahiError: one of ``names`` stands for none.
    """
    if len(names) == 1 and names[0] != "all" and not set(names[0]) & set(":*?["):
        return [names[0]]
    chosen, unknown = choose(client.raw_processes(), names)
    if unknown:
        raise KahiError(f"no such process: {unknown[0]}")
    if not chosen:
        raise KahiError("no processes are configured")
    return [process["name"] for process in chosen]


def _merged(
    target: Target, client: Client, names: list[str], stream: str, follow: bool, count: int, raw: bool
) -> None:
    output = Merged(names, raw=raw)
    offsets: dict[str, int] = {}
    for name in names:
        for piece in end_of(_reader(client, name, stream), count):
            output.show(name, piece)
            offsets[name] = piece.offset
    if not follow:
        output.finish()
        return
    _follow_all(target, offsets, stream, output)


def _follow_all(target: Target, offsets: dict[str, int], stream: str, output: Merged) -> NoReturn:
    """Follow each log in a thread of its own, until Ctrl-C or until one fails."""
    import queue
    import threading

    failures: queue.Queue[BaseException] = queue.Queue()
    lost = threading.Lock()

    def waits_once(problem: ClientError) -> None:
        # All of them lose the daemon at once; one says so.
        if lost.acquire(blocking=False):
            waits(problem)
            threading.Timer(1.0, lost.release).start()

    clients = {name: target.connect() for name in offsets}

    def follow(name: str, offset: int) -> None:
        try:
            with clients[name] as client:
                for piece in client.follow_log(name, stream, offset=offset, waiting=waits_once):
                    output.show(name, piece)
        except (KahiError, OSError) as error:
            failures.put(error)

    for name, offset in offsets.items():
        threading.Thread(target=follow, args=(name, offset), daemon=True).start()
    try:
        raise failures.get()
    finally:
        for client in clients.values():
            client.close()
        output.finish()
