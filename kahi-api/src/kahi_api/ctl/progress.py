"""A line on the terminal that shows how far long work is, gone when it is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kahi.errors import KahiError
from kahi_api.ctl.selection import choose
from kahi_api.ctl.table import cut

if TYPE_CHECKING:
    from kahi_api.client import Client
    from kahi_api.ctl.target import Target

PATIENCE: Final = 0.5
"""Seconds that work may take before the line appears."""

PERIOD: Final = 0.25
"""Seconds between two looks at how far it is."""

ERASE: Final = "\r\x1b[2K"

HowFar = Callable[["Client"], str]

VERBS: Final = {"start": "starting", "stop": "stopping", "restart": "restarting"}
SETTLED: Final = {
    "start": ("RUNNING", "EXITED", "BACKOFF", "FATAL"),
    "stop": ("STOPPED", "EXITED", "FATAL"),
    "restart": ("RUNNING", "EXITED", "BACKOFF", "FATAL"),
}


class Count:
    """How many of the processes that ``names`` stand for are as ``action`` wants them."""

    def __init__(self, action: str, names: Sequence[str]) -> None:
        self._action = action
        self._names = names
        self._before: dict[str, int] = {}

    def __call__(self, client: Client) -> str:
        """What the line says."""
        chosen, _ = choose(client.raw_processes(), self._names)
        if not self._before:
            self._before = {process["name"]: process["pid"] for process in chosen}
        done = sum(map(self._is_done, chosen))
        return f"{VERBS[self._action]}: {done} of {len(chosen)}"

    def _is_done(self, process: dict[str, Any]) -> bool:
        if process["state"] not in SETTLED[self._action]:
            return False
        pid = process["pid"]
        return self._action != "restart" or not pid or pid != self._before.get(process["name"])


class Moving:
    """How many processes start or stop at the moment."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __call__(self, client: Client) -> str:
        """What the line says."""
        states = [process["state"] for process in client.raw_processes()]
        moving = sum(state in ("STARTING", "STOPPING") for state in states)
        return f"{self._word}: {moving} of {len(states)} on their way" if moving else f"{self._word}"


class Left:
    """How many processes are still up."""

    def __call__(self, client: Client) -> str:
        """What the line says."""
        up = sum(bool(process["pid"]) for process in client.raw_processes())
        return f"shutting down: {up} {'process' if up == 1 else 'processes'} left"


@contextmanager
def progress(target: Target, how_far: HowFar) -> Generator[None]:
    """Show a line on stderr while the context lasts, if it is a terminal and it lasts."""
    if not sys.stderr.isatty():
        yield
        return
    target.ask_password()
    over, shown = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_show, args=(target, how_far, over, shown), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        # It may be waiting for an answer, which nobody needs any more.
        watcher.join(PERIOD)
        if shown.is_set():
            sys.stderr.write(ERASE)
            sys.stderr.flush()


def _show(target: Target, how_far: HowFar, over: threading.Event, shown: threading.Event) -> None:
    begin = time.monotonic()
    try:
        with target.connect(wait=2.0) as client:
            how_far(client)
            while not over.wait(PERIOD if shown.is_set() else PATIENCE):
                text = how_far(client)
                if over.is_set():
                    return
                shown.set()
                sys.stderr.write(ERASE + cut(f"{text}, {time.monotonic() - begin:.0f} s", _width()))
                sys.stderr.flush()
    except (KahiError, OSError):
        # The command itself says what is wrong.
        return


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns - 1
