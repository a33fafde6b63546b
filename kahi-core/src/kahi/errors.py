"""Errors that a person or a client is meant to read.

Every error Kahi raises on purpose is a [KahiError][kahi.errors.KahiError]. Each class carries what
is needed to act on it, so that nobody ever classifies an error by its text: the API maps classes to
HTTP codes in one table, the command line maps them to exit codes in another.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kahi.error import KahiError as KahiError

TRANSIENT_ERRORS: Final = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR}
)
"""Errors of the operating system that may be gone at the next try."""


class StartRefused(KahiError):
    """The daemon must not run at all, say because another one does already.

    A plugin may raise it in ``kahi_setup``, where any other error only takes the plugin out.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration, and where.

    Args:
        file: path of the file, "" when the problem belongs to no file.
        line: line of the key (from 1), 0 when unknown.
        where: the table and key, such as ``[programs.web] startsecs``.
        message: what is wrong and what is allowed; never holds a secret value.
    """

    file: str
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [part for part in (place, self.where, self.message) if part]
        if self.where and place:
            return f"{place}: {self.where}: {self.message}"
        return ": ".join(parts)


class ConfigError(KahiError):
    """A configuration that can not be used; holds every problem that was found.

    Args:
        problems: all of them, in the order of the files.
    """

    is_report = True

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NoConfigFound(KahiError):
    """No configuration file at any of the places that were looked at."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = tuple(places)
        super().__init__("no configuration found; looked at: " + ", ".join(self.places))


class SpawnError(KahiError):
    """A process could not be started.

    Args:
        step: what failed, in words that complete "cannot ...": ``run``, ``enter directory``, ...
        subject: what it failed on: a path, a user, a limit.
        errno: the error of the operating system, 0 when it was not one.
        reason: said instead of the errno's text when there is no errno or more to say.
        permanent: no retry can help; the process goes to FATAL at once.
    """

    def __init__(
        self, step: str, subject: str = "", errno: int = 0, reason: str = "", *, permanent: bool = True
    ) -> None:
        self.step = step
        self.subject = subject
        self.errno = errno
        self.permanent = permanent
        self.reason = reason or (os.strerror(errno) if errno else "unknown reason")
        what = f"cannot {step} {subject}".rstrip()
        super().__init__(f"{what}: {self.reason}")


class ProcessError(KahiError):
    """An operation on one process that was refused or failed; carries the process name."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message
        super().__init__(f"{name}: {message}")


class AlreadyStarted(ProcessError):
    """Start of a process that is already up or on its way up."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "already started")


class NotRunning(ProcessError):
    """Stop of, or a signal or input to, a process that does not run."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "not running")


class NoInput(NotRunning):
    """Input to a process that takes none, or none any more; ``reason`` says why."""

    def __init__(self, name: str, reason: str) -> None:
        ProcessError.__init__(self, name, reason)


class RefusedTransition(ProcessError):
    """A change the present state does not allow; the message names both states."""

    def __init__(self, name: str, state: str, wanted: str) -> None:
        self.state = state
        self.wanted = wanted
        super().__init__(name, f"cannot go from {state} to {wanted}")


class StartFailed(ProcessError):
    """The first attempt of a start failed before the program ran (exec, credentials, limits)."""


class AbnormalTermination(ProcessError):
    """The program ran, and ended before it counted as started."""


class StillRunning(ProcessError):
    """A group that has running processes cannot be removed."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "still running")


class AlreadyAdded(ProcessError):
    """A group that is active already cannot be added again."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "already added")


class GroupsBelongTogether(ProcessError):
    """A process moves between groups of which only one is to be updated."""

    def __init__(self, name: str, old: str, new: str) -> None:
        super().__init__(name, f"moves from group {old} to {new}: update both")


class StdinFull(ProcessError):
    """Input that neither the pipe nor its queue has room for."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "stdin is full")


@dataclass(slots=True)
class UnknownName(KahiError):
    """A name that nothing is called; ``kind`` is what was looked for: process, group, ..."""

    name: str
    kind: str = field(default="process")

    def __str__(self) -> str:
        return f"no such {self.kind}: {self.name}"


class NoSuchProcess(UnknownName):
    """No process, or none that matches a pattern."""


class NoSuchGroup(UnknownName):
    """No such group."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "group")


class LogError(KahiError):
    """A log that can not be cleared or opened anew, or whose disk does not answer."""


class BadArgument(KahiError):
    """A request that can not mean anything: an unknown signal, an offset that is no number."""


class ShuttingDown(KahiError):
    """Nothing may change any more: the daemon is on its way down."""

    def __init__(self) -> None:
        super().__init__("shutting down")


def nearest(name: str, known: Iterable[str]) -> str:
    """A remark with the known name that ``name`` may have meant, "" when none is near."""
    import difflib

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
