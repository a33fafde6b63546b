"""A supervisor on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from kahi.daemon.earlylog import EarlyLog
from kahi.daemon.loop import run_loop
from kahi.daemon.program import Daemon
from kahi.daemon.startup import Loaded
from kahi.supervisor import Supervisor
from kahi.testing.recorder import Recorder
from kahi.testing.threadsystem import ThreadSystem

T = TypeVar("T")

IN_ORDER: Final = 2.0
"""Seconds in which processes may stop by themselves at the end; then they are killed."""


class SupervisorThread:
    """Runs the daemon's own code, but for signals, the pid file and the watch over the event loop.

    A thread, so that a test can use what the supervisor and its plugins serve while it waits.

    Args:
        patience: seconds that the event loop is waited for.
    """

    def __init__(self, loaded: Loaded, recorder: Recorder, patience: float) -> None:
        self.exit_code: int | None = None
        """What a daemon would have exited with; None while it runs, or when it failed."""
        self.error: BaseException | None = None
        """What it failed with."""
        self._loaded = loaded
        self._recorder = recorder
        self._patience = patience
        self._system = ThreadSystem()
        self._log_level = logging.getLogger().level
        self._early = EarlyLog()
        self._daemon = Daemon(loaded, system=self._system, early=self._early)
        self._thread = threading.Thread(target=self._run, name="kahi supervisor", daemon=True)
        self._thread.start()

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def run(self, function: Callable[[Supervisor], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function of the supervisor on the event loop to its end.

        Raises:
            AssertionError: the supervisor is not up, has ended, or its event loop does not answer.
        """
        loop, context = self._recorder.loop, self._recorder.context
        if loop is None or context is None or not self.lives:
            raise AssertionError("the supervisor does not run")
        future = asyncio.run_coroutine_threadsafe(function(context.supervisor), loop)
        concurrent.futures.wait([future], self._patience)
        if not future.done():
            future.cancel()
            raise AssertionError(f"the event loop did not do it in {self._patience} s")
        return future.result()

    def leave(self) -> None:
        """End in order, then by force.

        Raises:
            AssertionError: something holds the event loop.
        """
        try:
            self._request("the test is over", hurry=False)
            self._thread.join(IN_ORDER)
            self._request("", hurry=True)
            self._thread.join(self._patience)
            if self.lives:
                raise AssertionError(f"the supervisor did not end in {self._patience} s")
        finally:
            self._system.kill_children()
            logging.getLogger().setLevel(self._log_level)

    def _request(self, reason: str, *, hurry: bool) -> None:
        loop, context = self._recorder.loop, self._recorder.context
        if loop is None or context is None or not self.lives:
            return
        ending = context.supervisor.ending

        def request() -> None:
            if hurry:
                ending.hurry()
            else:
                ending.request(reason)

        # It may have ended at this very moment.
        try:
            loop.call_soon_threadsafe(request)
        except RuntimeError:
            self._thread.join(self._patience)

    def _run(self) -> None:
        try:
            self.exit_code = run_loop(self._daemon.run, self._loaded.plugins, watched=False).code
        except BaseException as error:  # noqa: BLE001
            self.error = error  # Raised in the test.
            self._early.tell()
