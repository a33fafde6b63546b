"""The seam to the operating system.

Everything Kahi asks of the kernel about processes, descriptors and time goes through one
[System][kahi.system.System] object. Tests replace single methods to provoke faults; the choices
between Linux and macOS, and between new and old kernels, are made in here and nowhere else.

Methods are thin: they translate nothing but "this kernel has no such call".
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kahi.system import prctl
from kahi.system.peers import PeerIdentity, peer_of, receive
from kahi.system.table import ProcessEntry, read_proc, read_ps, read_sysctl, read_text

IS_LINUX: Final = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """What the kernel says about an ended child: exactly one of exit code and signal number."""

    pid: int
    code: int | None
    signal: int | None


class System:
    """The operating system, as Kahi uses it. Safe to use from any thread."""

    def __init__(self) -> None:
        self._descriptors_of_children: tuple[int, int] | None = None
        self._reserve: tuple[int, ...] = ()
        self._ignored: tuple[int, ...] = ()
        self._lowered = threading.Lock()
        """Held while the limit of children is in force here."""

    # Time

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; the time of all deadlines."""
        return time.monotonic()

    def wall_clock(self) -> float:
        """Seconds since the epoch; for people and log lines, never for deadlines."""
        return time.time()

    def boottime(self) -> float:
        """Seconds since the system booted, also those in which it slept."""
        # Elsewhere this is what goes on while the system sleeps; time.monotonic() need not be.
        return time.clock_gettime(time.CLOCK_BOOTTIME if IS_LINUX else time.CLOCK_MONOTONIC)

    def boot_id(self) -> str:
        """What tells this boot of the system from any other, "" where there is no such thing."""
        try:
            return read_text("/proc/sys/kernel/random/boot_id").strip()
        except OSError:
            return read_sysctl("kern.bootsessionuuid")

    # Processes

    def spawn(
        self,
        path: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        descriptors: tuple[int, int, int],
        *,
        directory: str | None = None,
        umask: int = -1,
        prepare: Callable[[], None] | None = None,
    ) -> int:
        """Execute ``path`` in a session and process group of its own; return the pid.

        The call returns once the program runs. Descriptors 0 to 2 are the given ones, no other is
        inherited. Signals that the calling process catches are at their defaults in the child.

        Args:
            directory: entered before exec.
            umask: set before exec, -1 leaves it.
            prepare: called in the child before exec. Costs a real fork in place of vfork (about
                2 ms more for a daemon of 30 MiB), so it is for what can not be had otherwise.

        Raises:
            OSError: fork, chdir or exec failed; ``filename`` is the directory or the path.
            subprocess.SubprocessError: ``prepare`` raised.
        """
        stdin, stdout, stderr = descriptors
        with self._limits_of_children(), self._dispositions_of_children():
            child = subprocess.Popen(
                argv,
                executable=path,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=directory,
                umask=umask,
                start_new_session=True,
                preexec_fn=prepare,
            )
        # The reaper collects the exit; this keeps Popen from ever waiting for it as well.
        child.returncode = 0
        return child.pid

    def raise_descriptor_limit(self, wanted: int) -> None:
        """Let this process open ``wanted`` descriptors if it may, and children as many as before.

        Raises:
            OSError: the hard limit is lower; nothing changed.
        """
        soft, hard = self.limits(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise OSError(errno.EMFILE, f"the hard limit of open files is {hard}, {wanted} are needed")
        self.set_limit(resource.RLIMIT_NOFILE, wanted, hard)
        if self._descriptors_of_children is None:
            self._descriptors_of_children = (soft, hard)
            self._reserve = os.pipe()

    @contextlib.contextmanager
    def _limits_of_children(self) -> Generator[None]:
        """Lower the own limit of open files for as long as a child inherits it.

        A spawn needs two descriptors itself: the reserve, opened when numbers were still low, makes
        room for them below the lowered limit.
        """
        if self._descriptors_of_children is None:
            yield
            return
        own = self.limits(resource.RLIMIT_NOFILE)
        with self._lowered:
            reserve, self._reserve = self._reserve, ()
            for fd in reserve:
                self.close(fd)
            self.set_limit(resource.RLIMIT_NOFILE, *self._descriptors_of_children)
            try:
                yield
            finally:
                self.set_limit(resource.RLIMIT_NOFILE, *own)
                # Without it the next spawn may fail, but that is no reason to lose the child of this one.
                with contextlib.suppress(OSError):
                    self._reserve = os.pipe()

    def ignore_signals(self, numbers: Iterable[int]) -> None:
        """Ignore signals in this process, but not in those that `spawn` starts."""
        self._ignored = tuple(numbers)
        for number in self._ignored:
            signal.signal(number, signal.SIG_IGN)

    @contextlib.contextmanager
    def _dispositions_of_children(self) -> Generator[None]:
        """Catch the ignored signals for as long as a child inherits that: exec makes it the default."""
        for number in self._ignored:
            signal.signal(number, _nothing)
        try:
            yield
        finally:
            for number in self._ignored:
                signal.signal(number, signal.SIG_IGN)

    def kill(self, pid: int, signum: int) -> None:
        """Send a signal to one process that has not been reaped yet."""
        os.kill(pid, signum)

    def kill_group(self, group: int, signum: int) -> None:
        """Send a signal to all members of a process group."""
        os.killpg(group, signum)

    def open_pidfd(self, pid: int) -> int | None:
        """A descriptor that becomes readable when ``pid`` ends; None when none can be had.

        That is so on old kernels, in some sandboxes and when descriptors have run out; SIGCHLD
        tells of the exit then.

        Raises:
            ProcessLookupError: there is no such process.
        """
        if not hasattr(os, "pidfd_open"):
            return None
        try:
            return self.lift(os.pidfd_open(pid))
        except ProcessLookupError:
            raise
        except OSError:
            return None

    def peek_exit(self, pid: int) -> ExitInfo | None:
        """How child ``pid`` ended, without reaping it; None while it lives.

        Where the system cannot peek (macOS before Python 3.13) the child is reaped by this call,
        and a later [reap][kahi.system.System.reap] finds nothing, which is fine.

        Raises:
            ChildProcessError: there is no such child.
        """
        if not hasattr(os, "waitid"):
            return self._wait(pid)
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return None if found is None else _exit_info(found)

    def reap(self, pid: int) -> None:
        """Remove the ended child ``pid`` from the process table; one that is gone is ignored."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)

    def _wait(self, pid: int) -> ExitInfo | None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        return ExitInfo(pid, code if code >= 0 else None, -code if code < 0 else None)

    def children(self) -> list[int] | None:
        """Pids of all children of this process, ended ones too; None where it can not be told."""
        try:
            return [
                int(pid)
                for thread in os.listdir("/proc/self/task")
                for pid in read_text(f"/proc/self/task/{thread}/children").split()
            ]
        except OSError:
            return None

    def process_table(self) -> list[ProcessEntry]:
        """All processes that can be seen."""
        return read_proc() or read_ps(self.boottime())

    # Limits and privileges of the calling process

    def set_limit(self, limit: int, soft: int, hard: int) -> None:
        """Set a resource limit (``resource.RLIMIT_*``) of the calling process."""
        resource.setrlimit(limit, (soft, hard))

    def limits(self, limit: int) -> tuple[int, int]:
        """Soft and hard value of a resource limit."""
        return resource.getrlimit(limit)

    def set_niceness(self, value: int) -> None:
        """Set the niceness of the calling process."""
        os.setpriority(os.PRIO_PROCESS, 0, value)

    def set_oom_score_adj(self, value: int) -> None:
        """Set how readily the kernel kills the calling process when memory runs out.

        Raises:
            OSError: ENOTSUP where the system knows no such thing.
        """
        if not IS_LINUX:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        Path("/proc/self/oom_score_adj").write_text(str(value), encoding="ascii")

    def set_identity(self, uid: int, gid: int, groups: Sequence[int]) -> None:
        """Become another user for good, in the only safe order: groups, gid, uid."""
        os.setgroups(list(groups))
        os.setgid(gid)
        os.setuid(uid)

    def get_ready_to_prepare(self) -> None:
        """Load what a child needs between fork and exec, where it can load nothing itself."""
        prctl.load()

    def set_no_new_privs(self) -> None:
        """No program executed from here on gains rights by set-uid bits or capabilities."""
        prctl.prctl(prctl.PR_SET_NO_NEW_PRIVS, 1)

    def set_name(self, name: str) -> None:
        """How the calling thread is called in lists of processes and threads, and with the first thread its
        process; nothing where that can not be set."""
        if IS_LINUX:
            with contextlib.suppress(OSError):
                Path("/proc/thread-self/comm").write_text(name, encoding="ascii")

    def become_subreaper(self) -> None:
        """Adopt the orphans among the descendants. ENOTSUP where there is no such thing."""
        prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)

    # Descriptors

    def pipe(self) -> tuple[int, int]:
        """A pipe (read end, write end); both close at exec."""
        return os.pipe()

    def lift(self, fd: int) -> int:
        """Move a descriptor that stays open for long above the limit that children get; returns it.

        That limit is in force here, too, while a child is spawned: other threads can go on opening
        files as long as the low numbers are free.
        """
        if self._descriptors_of_children is None or fd >= self._descriptors_of_children[0]:
            return fd
        try:
            with self._lowered:
                lifted = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self._descriptors_of_children[0])
        except OSError:
            return fd
        os.close(fd)
        return lifted

    def close(self, fd: int) -> None:
        """Close a descriptor; one that is closed already is ignored."""
        with contextlib.suppress(OSError):
            os.close(fd)

    def set_nonblocking(self, fd: int) -> None:
        """Make reads and writes of this open file return instead of waiting."""
        os.set_blocking(fd, False)

    def enlarge_pipe(self, fd: int, size: int) -> None:
        """Give a pipe room for ``size`` bytes, where the system can and lets us."""
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write what the descriptor takes; see [os.write][]."""
        return os.write(fd, data)

    def close_all_but(self, kept: int) -> None:
        """Close every descriptor above 2 except one."""
        for fd in _open_descriptors():
            if fd > 2 and fd != kept:
                self.close(fd)

    def close_inherited_at_exec(self) -> None:
        """Mark every descriptor above 2 that came from the parent so that no child gets it."""
        for fd in _open_descriptors():
            if fd > 2:
                with contextlib.suppress(OSError):
                    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)

    def bind_datagram(self, path: str, owner: int = -1) -> socket.socket:
        """A Unix datagram socket that only ``owner`` (-1: the daemon's user) can send to.

        Where the system can, each message tells who sent it.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            if hasattr(socket, "SO_PASSCRED"):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            listener.setblocking(False)
            listener.bind(path)
            os.chmod(path, 0o600)
            if owner >= 0:
                os.chown(path, owner, -1, follow_symlinks=False)
        except BaseException:
            listener.close()
            raise
        return listener

    def receive_datagram(self, listener: socket.socket) -> tuple[bytes, int | None]:
        """The next message and the pid of its sender, None where it can not be told.

        Raises:
            BlockingIOError: there is none.
        """
        return receive(listener)

    def process_group(self, pid: int) -> int | None:
        """The process group of any process, None when there is no such process."""
        try:
            return os.getpgid(pid)
        except OSError:
            return None

    def peer_identity(self, connection: socket.socket) -> PeerIdentity | None:
        """Who is at the other end of a Unix socket; None where it can not be told."""
        return peer_of(connection)


def _nothing(_number: int, _frame: object) -> None:
    """A signal that came while a child was spawned."""


def _exit_info(found: os.waitid_result) -> ExitInfo:
    if found.si_code == os.CLD_EXITED:
        return ExitInfo(found.si_pid, found.si_status, None)
    return ExitInfo(found.si_pid, None, found.si_status)


def _open_descriptors() -> Iterable[int]:
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(directory)]
        except OSError:
            continue
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return range(3, min(soft, 65536))
