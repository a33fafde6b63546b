"""What hooks are given and give back. Plugins import all of it from [kahi.hookspecs][]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, runtime_checkable

from pydantic import BaseModel

from kahi.errors import KahiError

if TYPE_CHECKING:
    from kahi.process import Process

CORE_TABLES: Final = frozenset(
    {"include", "supervisor", "programs", "fcgi_programs", "eventlisteners", "groups"}
)
"""Tables of the configuration that no plugin can declare."""

CORE_CHECKS: Final = ("http", "tcp", "exec", "notify")
"""Kinds of health checks that core brings."""


@dataclass(frozen=True, slots=True)
class ConfigSection:
    """A part of the configuration that a plugin owns.

    Args:
        name: the table's name, or the key inside a program.
        model: what it may hold; unknown keys are reported from the model's fields.
        in_program: it is a key or table of every program, not a table of its own.
        many: it is a table of named tables, as in ``[webhooks.NAME]``.
        in_supervisor: no table of its own: the model's fields are keys of ``[supervisor]``.
    """

    name: str
    model: type[BaseModel]
    in_program: bool = False
    many: bool = False
    in_supervisor: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A long-running part of a plugin.

    Args:
        name: how it is called in the log.
        run: makes an async context manager; the service is up while it is entered, and is left in
            order at shutdown. When it ends by itself it is started again, with backoff.
        stop_seconds: how long leaving it may take at shutdown; after that it is cancelled, and then
            left behind.
    """

    name: str
    run: Callable[[], AbstractAsyncContextManager[None]]
    stop_seconds: float = 5.0


class SpawnVeto(KahiError):
    """A plugin does not let a process be spawned.

    Args:
        retry: the same may be allowed later: count it as a failed start, with backoff.
    """

    def __init__(self, reason: str, *, retry: bool = False) -> None:
        self.retry = retry
        super().__init__(reason)


@dataclass(slots=True)
class SpawnRequest:
    """What is about to be executed; ``argv``, ``environment`` and ``rlimits`` may be changed.

    Args:
        name: the process, ``program`` and ``group`` it belongs to.
        settings: what the program says under the plugins' own keys, by key.
        argv: the command, never empty.
        environment: everything the child gets.
        rlimits: soft and hard limit by name, as in ``nofile``; -1 is unlimited.
    """

    name: str
    program: str
    group: str
    settings: Mapping[str, Any]
    argv: list[str]
    environment: dict[str, str]
    rlimits: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def veto(self, reason: str, *, retry: bool = False) -> NoReturn:
        """Do not let the process be spawned; raises SpawnVeto.

        Args:
            reason: said in the state of the process and in its events.
            retry: try again with backoff; otherwise the process is FATAL at once.
        """
        raise SpawnVeto(reason, retry=retry)


class CheckFailed(KahiError):
    """A health check did not succeed; the text says why, in a few words."""


class HealthCheck(Protocol):
    """One kind of health check; an object of it is made for each process that asks for it.

    It is made of the value that stands in the configuration, with names expanded, and raises
    ValueError with what is wrong with it: the configuration is then refused, with file and line.
    """

    def __init__(self, value: Any, /) -> None: ...

    async def check(self, process: Process) -> None:
        """Return when the process does its work; it is cancelled after ``timeout`` seconds.

        Raises:
            CheckFailed: it does not, and why.
        """
        ...


@runtime_checkable
class LogSink(Protocol):
    """Gets what a stream of a process prints, over all its restarts.

    It is called on the thread that moves output, never on the event loop and never twice at once. It
    must not block: the child, and all others that print to a sink of the same plugin, wait while it
    does. A sink that raises is counted as an error of its plugin and gets nothing any more.
    """

    def write(self, data: bytes) -> None:
        """Take the next bytes of the stream; they may end anywhere, also within a character."""
        ...

    def close(self) -> None:
        """No more bytes come: the process is gone from the configuration, or the daemon ends."""
        ...


@runtime_checkable
class PasswordHasher(Protocol):
    """Makes and checks hashes of passwords. What blocks is called on worker threads, one at a time."""

    name: str
    """What `kahi hash-password --algorithm` calls it."""

    schemes: tuple[str, ...]
    """What stands between the first two dollars of its hashes, as in ``$2b$12$…``."""

    def check(self, hashed: str) -> None:
        """Raises ValueError with the reason why a hash can not be used: malformed, absurd cost."""
        ...

    def verify(self, secret: bytes, hashed: str) -> bool:
        """Whether a hash is that of a password; comparing takes as long whatever differs. Blocks."""
        ...

    def hash(self, secret: bytes) -> str:
        """The hash of a password. Blocks. Raises ValueError for a password that it can not take."""
        ...
