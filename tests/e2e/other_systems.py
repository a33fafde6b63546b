"""`kahi` on systems that lack something: the seam to the operating system is switched.

Run as ``python -m tests.e2e.other_systems VARIANT daemon -c FILE``.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

from kahi.daemon import Options, run
from kahi.errors import KahiError
from kahi.system import ExitInfo, ProcessEntry, System
from kahi.system.table import read_ps


class OldKernel(System):
    """Linux before 5.3, and many sandboxes: no pidfds."""

    def open_pidfd(self, pid: int) -> int | None:
        return None


class FewDescriptors(System):
    """Every second pidfd can not be had."""

    def open_pidfd(self, pid: int) -> int | None:
        return super().open_pidfd(pid) if pid % 2 else None


class MacLike(OldKernel):
    """No pidfds, no /proc, no waitid, none of prctl, no telling who sent a datagram."""

    def peek_exit(self, pid: int) -> ExitInfo | None:
        return self._wait(pid)

    def children(self) -> list[int] | None:
        return None

    def process_table(self) -> list[ProcessEntry]:
        return read_ps(self.boottime())

    def set_no_new_privs(self) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def set_oom_score_adj(self, value: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def receive_datagram(self, listener: socket.socket) -> tuple[bytes, int | None]:
        return super().receive_datagram(listener)[0], None

    def become_subreaper(self) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


VARIANTS = {"old-kernel": OldKernel, "few-descriptors": FewDescriptors, "mac-like": MacLike}


def main() -> None:
    """Run the daemon on the system that the command line names."""
    variant, _, _, config = sys.argv[1:5]
    try:
        sys.exit(run(Options(config), VARIANTS[variant]()))
    except KahiError as error:
        sys.exit(f"kahi: {error}")


if __name__ == "__main__":
    main()
