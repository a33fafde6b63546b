"""The file that tells the pid of the daemon."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

from kahi.errors import KahiError

log = logging.getLogger(__name__)


class AlreadyRunning(KahiError):
    """Another daemon with the same pid file lives."""


@contextlib.contextmanager
def pid_file(path: str) -> Generator[None]:
    """Hold ``path`` with the own pid in it; "" holds none.

    It is written whole or not at all, and removed again. A file of a daemon that is gone is
    replaced.

    Raises:
        AlreadyRunning: the process named in it lives, and is a Kahi.
        KahiError: it can not be written.
    """
    if not path:
        yield
        return
    _refuse_live_instance(path)
    try:
        _write(path, f"{os.getpid()}\n")
    except OSError as error:
        raise KahiError(f"cannot write pid file {path}: {os.strerror(error.errno or 0)}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if _pid_in(path) == os.getpid():
                os.unlink(path)


def _refuse_live_instance(path: str) -> None:
    pid = _pid_in(path)
    if pid is None or pid == os.getpid():
        return
    if _is_kahi(pid):
        raise AlreadyRunning(f"already running with pid {pid} (pid file {path})")
    log.warning("replacing the stale pid file %s (pid %d)", path, pid)


def _pid_in(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def _is_kahi(pid: int) -> bool:
    """Whether ``pid`` lives and looks like this program; a reused pid does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return b"kahi" in command_line


def _write(path: str, text: str) -> None:
    directory = os.path.dirname(os.path.abspath(path))
    fd, temporary = tempfile.mkstemp(prefix=".kahi-", dir=directory)
    try:
        with open(fd, "w", encoding="ascii") as file:
            file.write(text)
            os.fchmod(fd, 0o644)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
