"""The seam to the operating system.

Everything Kahi asks of the kernel about processes, descriptors and time goes through one
[System][kahi.system.System] object. Tests replace single methods to provoke faults; the choices
between Linux and macOS, and between new and old kernels, are made in here and nowhere else.

Methods are thin: they translate nothing but "this kernel has no such call".
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

IS_LINUX: Final = sys.platform == "linux"

_PAGE: Final = resource.getpagesize()
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SO_PEERGROUPS: Final = 59
_MAX_OPTION: Final = 1024
MAX_DATAGRAM: Final = 8192
"""Bytes of a message to the daemon; what is longer is cut."""

_CREDENTIALS: Final = struct.Struct("3i")
"""What the kernel says about a sender: pid, uid, gid."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """What the kernel says about an ended child: exactly one of exit code and signal number."""

    pid: int
    code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One line of the process table.

    Args:
        group: its process group.
        zombie: it has ended, and nobody has reaped it.
        memory: bytes of resident memory.
        cpu_seconds: CPU time that it, and those of its children that it has waited for, have used.
        session: its session; 0 where it can not be told.
        started: seconds from the boot of the system to its start; 0 where they can not be told.
    """

    pid: int
    parent: int
    group: int
    zombie: bool
    memory: int = 0
    cpu_seconds: float = 0.0
    session: int = 0
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Whom the kernel vouches for at the other end of a Unix socket.

    Args:
        groups: its own and its supplementary ones, as far as the system tells them.
        pid: 0 where it can not be told.
    """

    uid: int
    groups: frozenset[int]
    pid: int = 0


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
        return time.clock_gettime(time.CLOCK_BOOTTIME) if IS_LINUX else time.monotonic()

    def boot_id(self) -> str:
        """What tells this boot of the system from any other, "" where there is no such thing."""
        try:
            return _read("/proc/sys/kernel/random/boot_id").strip()
        except OSError:
            return ""

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
            for fd in self._reserve:
                self.close(fd)
            self.set_limit(resource.RLIMIT_NOFILE, *self._descriptors_of_children)
            try:
                yield
            finally:
                self.set_limit(resource.RLIMIT_NOFILE, *own)
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
                for pid in _read(f"/proc/self/task/{thread}/children").split()
            ]
        except OSError:
            return None

    def process_table(self) -> list[ProcessEntry]:
        """All processes that can be seen."""
        try:
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        except OSError:
            pids = []
        if not pids:
            return self._process_table_of_ps()
        entries = (_process_entry(pid) for pid in pids)
        return [entry for entry in entries if entry is not None]

    def _process_table_of_ps(self) -> list[ProcessEntry]:
        """The process table where there is no /proc; costs some 10 ms."""
        columns = ["-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat=", "-o", "rss=", "-o", "time="]
        listing = subprocess.run(["ps", "-A", *columns], capture_output=True, text=True, check=False)
        rows = (line.split() for line in listing.stdout.splitlines())
        return [
            ProcessEntry(
                int(row[0]),
                int(row[1]),
                int(row[2]),
                row[3].startswith("Z"),
                int(row[4]) * 1024,
                _seconds(row[5]),
            )
            for row in rows
            if len(row) == 6
        ]

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

    def set_no_new_privs(self) -> None:
        """No program executed from here on gains rights by set-uid bits or capabilities."""
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)

    def set_parent_death_signal(self, signum: int) -> None:
        """Have the calling process killed when its parent dies. ENOTSUP where there is no such thing."""
        _prctl(_PR_SET_PDEATHSIG, signum)

    def set_name(self, name: str) -> None:
        """How the calling process is called in lists of processes; nothing where that can not be set."""
        if IS_LINUX:
            with contextlib.suppress(OSError):
                Path("/proc/self/comm").write_text(name, encoding="ascii")

    def become_subreaper(self) -> None:
        """Adopt the orphans among the descendants. ENOTSUP where there is no such thing."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)

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

        Descriptors that come with it are closed, which is what a sender waits for that wants to know
        when it was heard.

        Raises:
            BlockingIOError: there is none.
        """
        room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(64 * 4)
        data, ancillary, _, _ = listener.recvmsg(MAX_DATAGRAM, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        sender: int | None = None
        for level, kind, payload in ancillary:
            if level != socket.SOL_SOCKET:
                continue
            if kind == socket.SCM_RIGHTS:
                descriptors = array.array("i", payload[: len(payload) // 4 * 4])
                for fd in descriptors:
                    self.close(fd)
            elif kind == getattr(socket, "SCM_CREDENTIALS", -1) and len(payload) >= _CREDENTIALS.size:
                sender = _CREDENTIALS.unpack(payload[: _CREDENTIALS.size])[0]
        return data, sender

    def process_group(self, pid: int) -> int | None:
        """The process group of any process, None when there is no such process."""
        try:
            return os.getpgid(pid)
        except OSError:
            return None

    def peer_identity(self, connection: socket.socket) -> PeerIdentity | None:
        """Who is at the other end of a Unix socket; None where it can not be told."""
        if not hasattr(socket, "SO_PEERCRED"):
            return _local_peer_identity(connection)
        pid, uid, gid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_OPTION)
        except OSError:
            # An old kernel, or somebody in hundreds of groups.
            raw = b""
        groups = struct.unpack(f"{len(raw) // 4}I", raw)
        return PeerIdentity(uid, frozenset((gid, *groups)), pid)


def _nothing(_number: int, _frame: object) -> None:
    """A signal that came while a child was spawned."""


def _exit_info(found: os.waitid_result) -> ExitInfo:
    if found.si_code == os.CLD_EXITED:
        return ExitInfo(found.si_pid, found.si_status, None)
    return ExitInfo(found.si_pid, None, found.si_status)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _process_entry(pid: int) -> ProcessEntry | None:
    """One entry of /proc; None when the process went away meanwhile."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The command name in parentheses may itself hold parentheses and blanks.
    fields = text[text.rfind(")") + 2 :].split()
    return ProcessEntry(
        pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        zombie=fields[0] in "ZX",
        memory=int(fields[21]) * _PAGE,
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        started=int(fields[19]) / _TICKS,
    )


def _seconds(text: str) -> float:
    """CPU time as ``ps`` writes it: ``[days-][hours:]minutes:seconds``."""
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)


def _open_descriptors() -> Iterable[int]:
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(directory)]
        except OSError:
            continue
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return range(3, min(soft, 65536))


def _prctl(option: int, value: int) -> None:
    if not IS_LINUX:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    if _libc_prctl()(option, value, 0, 0, 0) != 0:
        import ctypes

        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


_prctl_function: Callable[..., int] | None = None


def _libc_prctl() -> Callable[..., int]:
    # Looked up before a fork, so that the child only calls it.
    global _prctl_function
    if _prctl_function is None:
        import ctypes

        function = ctypes.CDLL(None, use_errno=True).prctl
        function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        _prctl_function = function
    return _prctl_function


def _local_peer_identity(connection: socket.socket) -> PeerIdentity | None:
    """macOS: LOCAL_PEERCRED, a struct xucred (version, uid, number of groups, at most 16 groups)."""
    sol_local, local_peercred = 0, 1
    try:
        raw = connection.getsockopt(sol_local, local_peercred, 76)
        _, uid, count = struct.unpack_from("=IIh", raw)
        return PeerIdentity(uid, frozenset(struct.unpack_from(f"={min(count, 16)}I", raw, 12)))
    except (OSError, struct.error):
        return None
