"""AUTO logs: files of their own in the child log directory, removed at the next start.

A log that is in use is locked (see [kahi.output.logfile.LogFile][]), so a daemon that is called the
same and has the same directory does not take it for a left-over.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import tempfile


def auto_directory(configured: str) -> str:
    """Where AUTO logs go: the configured directory, or the system's for temporary files."""
    return os.path.realpath(configured or tempfile.gettempdir())


def make_auto_log(directory: str, process: str, stream: str, identifier: str) -> str:
    """Create an empty log of mode 0600 that nobody else can have prepared, and return its path."""
    fd, path = tempfile.mkstemp(
        prefix=f"{process}-{stream}---{identifier}-", suffix=".log", dir=auto_directory(directory)
    )
    os.close(fd)
    return path


def remove_auto_logs(directory: str, identifier: str) -> None:
    """Remove the AUTO logs that an earlier run of the same daemon left behind."""
    pattern = f"*---{glob.escape(identifier)}-*.log*"
    found = glob.glob(os.path.join(glob.escape(auto_directory(directory)), pattern))
    in_use = {path for path in found if path.endswith(".log") and _is_in_use(path)}
    for path in found:
        if re.sub(r"\.\d+$", "", path) not in in_use and os.path.isfile(path) and not os.path.islink(path):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _is_in_use(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
