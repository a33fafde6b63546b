"""The same programs under supervisord and under Kahi, seen from outside."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import children_of, eventually, lives

CORPUS = Path(__file__).parent / "corpus"
REPORTER = """\
#!/bin/sh
# Says once on each stream who it is, and stays until it is killed, without a child of its own.
case ${0##*/} in
    *mon) ;;
    *) echo "out $SUPERVISOR_PROCESS_NAME" ;;
esac
echo "err $SUPERVISOR_PROCESS_NAME" >&2
exec 3<>"${0%/*}/never"
read -r _ <&3
"""
TOOLS = """
    Xvfb bundle caddy celery crashmon cron fluxbox gunicorn java memmon nginx node npm php php-cgi php-fpm
    postgres python redis-server rq ruby sh-like worker x11vnc
"""
"""Programs that the corpus runs; all of them are the reporter."""

VARIABLES = {
    "WEB_PORT": "80",
    "WORKERS": "2",
    "ENABLED": "true",
    "DISABLED": "false",
    "ZERO": "0",
    "STOP": "SIGINT",
    "NO_LOG": "NONE",
    "UMASK": "027",
    "LOG_LEVEL": "warn",
    "TOOL": "worker --from-a-variable",
    "GREETING": "good morning",
    "EMPTY": "",
}
"""Environment variables that the corpus refers to."""

Identity = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A running process, from /proc."""

    name: str
    group: str
    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    identity: tuple[str, ...]
    umask: str


@dataclass(slots=True)
class Site:
    """A directory with a configuration, tools on a PATH of its own, and room for logs."""

    directory: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def supervisord_conf(self) -> Path:
        """The source."""
        return self.directory / "supervisord.conf"

    @property
    def kahi_toml(self) -> Path:
        """The result."""
        return self.directory / "kahi.toml"

    def logs(self) -> dict[str, list[str]]:
        """What stands in each log file, its lines sorted.

        The random part of AUTO names is left out, as are empty logs: supervisord makes them also for
        what it does not start.
        """
        found: dict[str, list[str]] = {}
        for path in sorted(self.directory.rglob("*")):
            inside = path.relative_to(self.directory)
            if path.is_file() and inside.parts[0] != "bin" and not _is_own(path):
                name = re.sub(r"---.*-\w+\.log$", "---.log", str(inside))
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                if lines:
                    found[name] = sorted(lines)
        return found

    def remove_logs(self) -> None:
        """Make room for the next run."""
        for path in self.directory.rglob("*"):
            if path.is_file() and path.relative_to(self.directory).parts[0] != "bin" and not _is_own(path):
                path.unlink()


def _is_own(path: Path) -> bool:
    """Whether a file belongs to a daemon, or to the test."""
    return path.suffix in (".conf", ".ini", ".toml", ".pid", ".lock") or path.name in (
        "supervisord.log",
        "first.log",
        "output",
    )


def make_site(directory: Path, source: Path) -> Site:
    """Lay out a configuration of the corpus, with everything that it counts on."""
    directory.chmod(0o755)
    if source.is_dir():
        shutil.copytree(source, directory, dirs_exist_ok=True)
    else:
        shutil.copy(source, directory / "supervisord.conf")
    for name in ("bin", "auto", "data/deeper", "data/logs", "home", "tmp"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    os.mkfifo(directory / "bin" / "never")
    (directory / "bin" / "never").chmod(0o666)
    for tool in TOOLS.split():
        path = directory / "bin" / tool
        path.write_text(REPORTER)
        path.chmod(0o755)
    environ = {
        "PATH": f"{directory}/bin:/usr/bin:/bin",
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "FREE_PORT": str(_free_port()),
        **VARIABLES,
    }
    return Site(directory, environ)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def supervisord(site: Site) -> Iterator[int]:
    """supervisord in the foreground or background, as the configuration says; gives its pid."""
    command = [str(Path(sys.executable).parent / "supervisord"), "-c", str(site.supervisord_conf)]
    with _daemon(site, command) as pid:
        yield pid


@contextlib.contextmanager
def kahi(site: Site, *, background: bool) -> Iterator[int]:
    """Kahi with the result; gives its pid."""
    command = [sys.executable, "-m", "kahi", "daemon", "-c", str(site.kahi_toml)]
    with _daemon(site, [*command, "-d"] if background else command) as pid:
        yield pid


@contextlib.contextmanager
def _daemon(site: Site, command: list[str]) -> Iterator[int]:
    output = site.directory / "output"
    with output.open("wb") as file:
        started = subprocess.Popen(
            command,
            cwd=site.directory,
            env=site.environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    pid_file = site.directory / "supervisord.pid"

    def pid() -> int:
        code = started.poll()
        assert not code, f"{command[0]} ended with {code}: {output.read_text(errors='replace')}"
        text = pid_file.read_text() if pid_file.exists() else ""
        return int(text) if text.strip() else 0

    try:
        yield eventually(pid, f"{command[0]} has written its pid")
    finally:
        ended = {int(text) for text in [pid_file.read_text() if pid_file.exists() else ""] if text.strip()}
        for daemon in {*ended, started.pid}:
            _end(daemon)
        started.wait()
        pid_file.unlink(missing_ok=True)


def _end(daemon: int) -> None:
    """Kill a daemon and what it started, without asking: neither shall tidy up."""
    if not lives(daemon):
        return
    with contextlib.suppress(ProcessLookupError):
        # First the daemon, lest it start its children again.
        os.kill(daemon, signal.SIGSTOP)
        for child in children_of(daemon):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os.kill(daemon, signal.SIGKILL)


def processes(daemon: int, count: int) -> list[Seen]:
    """All children of a daemon in the order in which they were started, once there are ``count``."""

    def seen() -> list[Seen]:
        found = [_look(pid) for pid in sorted(children_of(daemon))]
        return [each for each in found if each is not None] if None not in found else []

    return eventually(lambda: found if len(found := seen()) == count else [], f"{count} processes run")


def _look(pid: int) -> Seen | None:
    """A process from /proc, None while it has not executed its program yet."""
    proc = Path(f"/proc/{pid}")
    try:
        environment = dict(
            each.partition("=")[::2]
            for each in os.fsdecode((proc / "environ").read_bytes()).split("\0")
            if each
        )
        status = dict(
            line.partition(":\t")[::2] for line in (proc / "status").read_text(errors="replace").splitlines()
        )
        if "SUPERVISOR_PROCESS_NAME" not in environment:
            return None
        return Seen(
            name=environment["SUPERVISOR_PROCESS_NAME"],
            group=environment["SUPERVISOR_GROUP_NAME"],
            argv=tuple(os.fsdecode((proc / "cmdline").read_bytes()).split("\0")[:-1]),
            directory=os.readlink(proc / "cwd"),
            environment=environment,
            identity=(status["Uid"], status["Gid"], status["Groups"].strip()),
            umask=status["Umask"],
        )
    except (OSError, KeyError):
        return None
