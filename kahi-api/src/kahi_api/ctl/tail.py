"""`kahi ctl tail`."""

from __future__ import annotations

import sys

import click

from kahi_api.ctl.target import Target, connection_options, pass_target

INTERRUPTED = 130


@click.command()
@click.argument("name")
@click.argument("stream", type=click.Choice(["stdout", "stderr"]), default="stdout")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what comes.")
@click.option(
    "--bytes",
    "count",
    type=click.IntRange(0, 1024 * 1024),
    default=1600,
    metavar="N",
    show_default=True,
    help="How much of the end to print.",
)
@connection_options
@pass_target
def tail(target: Target, name: str, stream: str, follow: bool, count: int) -> None:
    """Print the end of what NAME printed; with -f, go on until Ctrl-C."""
    with target.connect() as client:
        piece = client.log(name, stream, length=count)
        _print(piece.data)
        if not follow:
            return
        try:
            for event in client.follow_log(name, stream, offset=piece.offset):
                if event is None:
                    continue
                if event.type == "dropped":
                    click.echo(f"kahi: output was lost here: {event.data}", err=True)
                else:
                    _print(event.data.encode("utf-8", "replace"))
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    click.echo("kahi: the daemon has ended", err=True)
    sys.exit(1)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
