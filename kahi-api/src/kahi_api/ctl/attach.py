"""`kahi ctl send`, `attach`: the standard input of a process."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from kahi.cli.terminal import complain
from kahi.errors import KahiError
from kahi_api.client import ApiError, Event
from kahi_api.ctl.completion import processes
from kahi_api.ctl.options import connection_options, pass_target
from kahi_api.ctl.output import Output
from kahi_api.ctl.target import Target

if TYPE_CHECKING:
    from kahi_api.client import Client

PIECE: Final = 64 * 1024

TRY_AGAIN: Final = 0.1
"""Seconds until input is offered again to a process that does not read."""


@click.command()
@click.argument("name", shell_complete=processes)
@click.argument("data")
@click.option("--raw", is_flag=True, help="Do not add a newline.")
@connection_options
@pass_target
def send(target: Target, name: str, data: str, raw: bool) -> None:
    """Write a line to the input of a process: DATA and a newline."""
    line = os.fsencode(data) + (b"" if raw else b"\n")
    with target.connect() as client:
        client.send(name, line)


def _attaching(name: str, explanation: str) -> click.Command:
    @click.command(name, help=f"{explanation}\n\n{_WHILE_ATTACHED}")
    @click.argument("name", shell_complete=processes)
    @click.option("--raw", is_flag=True, help="To a terminal too, print escape sequences as they are.")
    @connection_options
    @pass_target
    def command(target: Target, name: str, raw: bool) -> None:
        with target.connect() as client, target.connect() as listener:
            state = client.process(name).state
            session = _Session(client, listener, name, raw)
            with _same_terminal():
                if sys.stdin.isatty():
                    complain(f"attached to {name} ({state}); Ctrl-C detaches")
                session.run()

    return command


_WHILE_ATTACHED = (
    "Lines that are typed go to its input, what it prints comes here. Ctrl-C detaches and leaves it"
    " running. Ctrl-D sends the end of input, where stdin_eof of the process allows it. Nobody else can"
    " be attached to the process meanwhile."
)

attach = _attaching("attach", "Talk to a process on this terminal.")
fg = _attaching("fg", "The same as attach.")


@contextmanager
def _same_terminal() -> Generator[None]:
    """Give the terminal back in the mode it is in, whatever the process printed."""
    if not sys.stdin.isatty():
        yield
        return
    import termios

    mode = termios.tcgetattr(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, mode)


class _Session:
    """Two directions: a thread prints what the process prints, the caller's passes on what is typed.

    Args:
        client: passes input on.
        listener: reads the process's output, and is closed by the caller at the end.

    Raises:
        ApiError: somebody else is attached, or the process takes no input.
    """

    def __init__(self, client: Client, listener: Client, name: str, raw: bool) -> None:
        self._client = client
        self._name = name
        self._outputs = {stream: Output(name, raw=raw) for stream in ("stdout", "stderr")}
        self._problem: Exception | None = None
        self._stream = listener.attach(name)
        self._over, self._end = os.pipe()

    def run(self) -> None:
        """Until Ctrl-C, the end of input that is no terminal, or the end of the stream.

        Raises:
            KahiError: the daemon went away.
        """
        threading.Thread(target=self._show, daemon=True).start()
        try:
            self._pass_on_all()
        except KeyboardInterrupt:
            if sys.stdin.isatty():
                sys.stderr.write("\n")
                complain(f"detached from {self._name}")
            return
        finally:
            os.close(self._over)
        if self._problem is not None:
            raise self._problem

    def _pass_on_all(self) -> None:
        keyboard = sys.stdin.fileno()
        watched = [keyboard, self._over]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._over in ready:
                return
            data = os.read(keyboard, PIECE)
            if data:
                self._pass_on(data)
                continue
            refusal = self._end_input()
            if sys.stdin.isatty():
                if refusal:
                    complain(refusal)
            elif refusal:
                return
            else:
                watched.remove(keyboard)

    def _show(self) -> None:
        try:
            for piece in self._stream:
                if isinstance(piece, Event):
                    self._tell(piece)
                else:
                    self._outputs[piece.stream or "stdout"].show(piece)
            self._problem = KahiError(f"{self._name} or the daemon is no more")
        except (KahiError, OSError) as error:
            self._problem = error
        finally:
            os.close(self._end)

    def _tell(self, event: Event) -> None:
        complain(f"{self._name}: {event.type.removeprefix('PROCESS_STATE_')}")

    def _pass_on(self, data: bytes) -> None:
        while True:
            try:
                self._client.send(self._name, data)
            except ApiError as error:
                if error.code == "STDIN_FULL":
                    time.sleep(TRY_AGAIN)
                    continue
                complain(error.message)
            return

    def _end_input(self) -> str:
        """Send the end of input; returns why the process did not get it, "" when it did."""
        try:
            self._client.send(self._name, b"", end=True)
        except ApiError as error:
            if error.status == 409:
                return error.message
            raise
        return ""
