"""AUTO logs: files of their own in the child log directory, removed at the next start."""

from __future__ import annotations

import glob
import os
import tempfile


def auto_directory(configured: str) -> str:
    """Where AUTO logs go: the configured directory, or the system's for temporary files."""
    return configured or tempfile.gettempdir()


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
    for path in glob.glob(os.path.join(glob.escape(auto_directory(directory)), pattern)):
        if os.path.isfile(path) and not os.path.islink(path):
            try:
                os.unlink(path)
            except OSError:
                continue
