"""A supervisor that runs inside a test, and waiting for what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from kahi.daemon.startup import Loaded
from kahi.events import Event
from kahi.events.types import matches
from kahi.plugins import PluginContext
from kahi.process import Process
from kahi.supervisor import Supervisor
from kahi.supervisor.outcome import Outcome
from kahi.testing.configuration import write_configuration
from kahi.testing.recorder import Recorder
from kahi.testing.thread import SupervisorThread

T = TypeVar("T")

PATIENCE: Final = 20.0
"""Seconds that anything may take on a busy machine."""

PAUSE: Final = 0.01
LOG_LENGTH: Final = 1024 * 1024
"""Bytes of a log that are looked at."""


class Running:
    """A supervisor that runs beside the test. Its methods are for the test's own thread.

    What does not happen in time is an AssertionError that says what was there instead.
    """

    def __init__(
        self,
        loaded: Loaded,
        recorder: Recorder,
        directory: TemporaryDirectory[str],
        patience: float,
        *,
        tolerant: bool,
    ) -> None:
        self._loaded = loaded
        self._recorder = recorder
        self._directory = directory
        self._patience = patience
        self._tolerant = tolerant
        self._ended = False
        self._last_log = ""
        self._thread = SupervisorThread(loaded, recorder, patience)
        try:
            self.wait_until(self._is_up, "the supervisor is up")
        except BaseException:
            self._leave()
            raise

    # What there is

    @property
    def directory(self) -> Path:
        """Where its configuration and its log are; gone at the end."""
        return Path(self._directory.name)

    @property
    def context(self) -> PluginContext:
        """What plugins get to work with. It belongs to the event loop: see `call`."""
        assert self._recorder.context is not None  # It is up before anybody has it.
        return self._recorder.context

    @property
    def events(self) -> list[Event]:
        """All events so far, oldest first."""
        return list(self._recorder.events)

    @property
    def daemon_log(self) -> str:
        """What the daemon logged so far; also after its end."""
        return self._last_log if self._ended else self._read_log()

    def state(self, name: str) -> str:
        """The state of a process, such as ``RUNNING``. Raises NoSuchProcess."""
        return self.call(lambda supervisor: supervisor.process(name).state.name)

    def pid(self, name: str) -> int:
        """The pid of a process, 0 when it has none. Raises NoSuchProcess."""
        return self.call(lambda supervisor: supervisor.process(name).pid)

    def log(self, name: str, stream: str = "stdout") -> str:
        """The end of what a process printed, as far as its log or the memory has it."""

        async def read(supervisor: Supervisor) -> bytes:
            found = [each for each in supervisor.process(name).streams if each.key.stream == stream]
            assert found, f"{name} has no {stream} of its own"
            return (await found[0].read(-LOG_LENGTH, LOG_LENGTH)).data

        return self.run(read).decode("utf-8", "replace")

    # What can be done

    def start(self, *names: str) -> None:
        """Start processes, by names or patterns, until it is decided. Raises the first's error."""
        self._each(names, lambda supervisor, found: supervisor.start(found, strict=True))

    def stop(self, *names: str) -> None:
        """Stop processes to the last member. Raises the first's error."""
        self._each(names, lambda supervisor, found: supervisor.stop(found))

    def restart(self, *names: str) -> None:
        """Stop processes that run, and start all. Raises the first's error."""
        self._each(names, lambda supervisor, found: supervisor.restart(found))

    def reload(self, toml: str) -> None:
        """Take over another configuration, as SIGHUP does. Raises ConfigError."""
        write_configuration(toml, self.directory / "kahi.toml")
        self.run(lambda supervisor: supervisor.update())

    def call(self, function: Callable[[Supervisor], T]) -> T:
        """Call a function with the supervisor on its event loop; returns or raises what it does."""

        async def on_the_loop(supervisor: Supervisor) -> T:
            return function(supervisor)

        return self.run(on_the_loop)

    def run(self, function: Callable[[Supervisor], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function with the supervisor on its event loop to its end."""
        return self._thread.run(function)

    # Waiting

    def wait_for(self, name: str, state: str, timeout: float | None = None) -> None:
        """Wait until a process is in a state. One that passes is better waited for by its event."""
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            seen = self.state(name)
            return seen == state.upper()

        self.wait_until(is_there, lambda: f"{name} is {state.upper()}: it is {seen}", timeout)

    def wait_for_event(
        self, event_type: str, name: str = "", *, after: Event | None = None, timeout: float | None = None
    ) -> Any:
        """The first event of a type or below a prefix, waited for if there was none yet.

        All plugins have been told of it by then, apart from those that take events from a queue.

        Args:
            name: only of this process.
            after: only later than this event.
        """
        since = 0 if after is None else after.serial

        def found() -> list[Event]:
            return [
                event
                for event in self.events
                if event.serial > since
                and matches(event.type, (event_type,))
                and (not name or getattr(event, "name", "") == name)
            ]

        def missing() -> str:
            return f"{event_type} {name}: there were {', '.join(event.type for event in self.events)}"

        self.wait_until(found, missing, timeout)
        return found()[0]

    def wait_for_log(self, name: str, text: str, stream: str = "stdout", timeout: float | None = None) -> str:
        """Wait until a process has printed a text; returns all that it printed."""
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            seen = self.log(name, stream)
            return text in seen

        self.wait_until(is_there, lambda: f"{name} prints {text!r}: it printed {seen!r}", timeout)
        return seen

    def wait_until(
        self, question: Callable[[], object], what: str | Callable[[], str] = "", timeout: float | None = None
    ) -> None:
        """Wait until a question is answered with something true."""
        limit = self._patience if timeout is None else timeout
        deadline = time.monotonic() + limit
        while not question():
            if time.monotonic() > deadline:
                told = what if isinstance(what, str) else what()
                raise AssertionError(f"did not happen in {limit} s: {told or question}")
            time.sleep(PAUSE)

    # The end

    def end(self) -> int:
        """Stop everything, kill what does not stop soon; returns the exit code. Twice is fine.

        Raises:
            AssertionError: a plugin raised meanwhile, unless that is tolerated, or did not let go.
        """
        if not self._ended:
            self._leave()
            if self._thread.error is not None:
                raise self._thread.error
            self._judge()
        return self._thread.exit_code or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()
        elif not self._ended:
            self._leave()

    def _is_up(self) -> bool:
        if not self._thread.lives:
            raise self._thread.error or AssertionError("the supervisor ended at once")
        if not self._recorder.up.is_set():
            return False
        infos = self.call(lambda _: self._loaded.plugins.list())
        if not self._tolerant:
            self._loaded.plugins.require(info.name for info in infos)
        return all(service.state != "starting" for info in infos for service in info.services)

    def _each(
        self,
        names: Sequence[str],
        operation: Callable[[Supervisor, list[Process]], Coroutine[Any, Any, list[Outcome]]],
    ) -> None:
        async def carry_out(supervisor: Supervisor) -> list[Outcome]:
            return await operation(supervisor, supervisor.select(names))

        for outcome in self.run(carry_out):
            if outcome.error is not None:
                raise outcome.error

    def _leave(self) -> None:
        self._ended = True
        try:
            self._thread.leave()
        finally:
            self._last_log = self._read_log()
            self._directory.cleanup()

    def _judge(self) -> None:
        wrong = [info for info in self._loaded.plugins.list() if info.errors]
        if wrong and not self._tolerant:
            told = ", ".join(f"{info.name} ({info.errors} times)" for info in wrong)
            raise AssertionError(f"plugins raised: {told}\n{self._last_log}")

    def _read_log(self) -> str:
        path = Path(self._loaded.config.supervisor.logfile)
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
