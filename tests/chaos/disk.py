"""A disk that can be filled: a small one of its own as root, a limit of file sizes for others."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
from pathlib import Path

SIZE = "16m"


class SmallDisk:
    """A file system in memory, mounted on ``place``."""

    spares_console = True
    """Whether what the daemon prints has room, even while the disk is full."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._ballast = place / "ballast"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "kahi-chaos", str(place)], check=True)

    def fill(self, daemon: int) -> None:
        """Leave no room."""
        fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while True:
                os.write(fd, bytes(65536))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(fd)

    def free(self, daemon: int) -> None:
        """Make room."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount."""
        subprocess.run(["umount", "-l", str(self._place)], check=False)


class LimitedFiles:
    """No file of the daemon may grow beyond a size, as long as the disk counts as full."""

    spares_console = False

    def __init__(self, place: Path) -> None:
        place.mkdir()

    def fill(self, daemon: int) -> None:
        """Have the daemon's files refuse to grow."""
        _, hard = resource.prlimit(daemon, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon, resource.RLIMIT_FSIZE, (4096, hard))

    def free(self, daemon: int) -> None:
        """Let them grow."""
        _, hard = resource.prlimit(daemon, resource.RLIMIT_FSIZE)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(daemon, resource.RLIMIT_FSIZE, (hard, hard))

    def close(self) -> None:
        """Nothing is left of it."""


def small_disk(place: Path) -> SmallDisk | LimitedFiles:
    """One that this user can have."""
    return SmallDisk(place) if os.geteuid() == 0 else LimitedFiles(place)
