"""Driving the real program from tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kahi_api.client import Client, ClientError, Process

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0
"""Seconds that anything may take on a busy machine before a test gives up on it."""


def eventually(question: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
    """The first true answer to ``question``; fails when none came in time."""
    deadline = time.monotonic() + patience
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(
                f"did not happen in {patience} s: {what or question}; last answer {answer!r}"
            )
        time.sleep(0.01)


def steadily(question: Callable[[], T], what: str, seconds: float = 0.5) -> None:
    """Fail at the first answer to ``question`` that is not true, for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        assert answer, f"no longer: {what}; answer {answer!r}"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text[text.rfind(")") + 2] not in "ZX"


def children_of(pid: int) -> list[int]:
    """Pids of the children of a process, zombies too."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                if int(text[text.rfind(")") + 2 :].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def command_of(pid: int) -> str:
    """The command line of a process, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return ""


def python(code: str) -> str:
    """A ``command`` value that runs Python code; ``code`` holds no triple single quotes."""
    return f"command = ['{sys.executable}', '-u', '-c', '''{code}''']"


def install_plugin(directory: Path, name: str, code: str) -> dict[str, str]:
    """Make ``code`` a plugin that daemons with the returned environment find."""
    (directory / f"{name}_module.py").write_text(code, encoding="utf-8")
    metadata = directory / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[kahi.plugins]\n{name} = {name}_module\n")
    return {"PYTHONPATH": f"{directory}:{ROOT}"}


class Daemon:
    """A running `kahi daemon` with a socket, a configuration and an output file of its own.

    Args:
        directory: for its files.
        toml: the configuration; ``[server.unix]`` is added unless it is there.
        wait: until the API answers.
        wrapper: command that executes the one behind it.
        program: what to run in place of `kahi`.
    """

    def __init__(
        self,
        directory: Path,
        toml: str,
        arguments: Sequence[str] = (),
        *,
        wait: bool = True,
        environ: dict[str, str] | None = None,
        wrapper: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "kahi"),
    ) -> None:
        self.directory = directory
        self.socket = directory / "k.sock"
        self.config = directory / "kahi.toml"
        self.output_file = directory / "output"
        self.write_config(toml)
        with self.output_file.open("ab") as output:
            self.popen = subprocess.Popen(
                [*wrapper, *program, "daemon", "-c", str(self.config), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environ or {})},
                cwd=directory,
            )
        self.pid = self.popen.pid
        if wait:
            try:
                eventually(self.answers, "the API answers")
            except BaseException:
                self.end()
                raise

    def write_config(self, toml: str) -> None:
        """Write the configuration."""
        if "[server.unix]" not in toml:
            toml += f'\n[server.unix]\nfile = "{self.socket}"\n'
        self.config.write_text(toml, encoding="utf-8")

    def answers(self) -> bool:
        """Whether the API answers; fails when the daemon is gone."""
        assert self.popen.poll() is None, f"the daemon ended with {self.popen.returncode}: {self.output}"
        try:
            with self.client() as client:
                return bool(client.health())
        except ClientError:
            return False

    @property
    def output(self) -> str:
        """What the daemon printed so far."""
        return self.output_file.read_text(encoding="utf-8", errors="replace")

    def says(self, text: str, times: int = 1) -> str:
        """Wait until the daemon has printed ``text``; returns everything that it printed so far.

        What it logs may come a moment after its API tells of the same.
        """
        eventually(lambda: self.output.count(text) >= times, f"it says {text!r}")
        return self.output

    def client(self) -> Client:
        """A client of this daemon."""
        return Client(str(self.socket), timeout=PATIENCE)

    def get(self, path: str) -> Any:
        """What a GET of any path answers, which has to be JSON."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(str(self.socket))
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def process(self, name: str) -> Process:
        """A process as the API tells it."""
        with self.client() as client:
            return client.process(name)

    def processes(self) -> dict[str, Process]:
        """All processes by name."""
        with self.client() as client:
            return {process.name: process for process in client.processes()}

    def wait_for(self, name: str, state: str) -> Process:
        """The process, once it is in ``state``."""
        found: list[Process] = []

        def is_there() -> bool:
            found[:] = [self.process(name)]
            return found[0].state == state

        eventually(is_there, f"{name} is {state}")
        return found[0]

    def wait_for_uptime(self, seconds: int = 1) -> None:
        """Wait until all processes that run have run for so long: what ends earlier is a failed start."""
        eventually(
            lambda: all(p.uptime >= seconds for p in self.processes().values() if p.state == "RUNNING"),
            f"all are up for {seconds} s",
        )

    def ctl(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `kahi ctl` on this daemon."""
        return subprocess.run(
            [sys.executable, "-m", "kahi", "ctl", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "KAHI_SOCKET": str(self.socket)},
            **options,
        )

    def signal(self, number: int) -> None:
        """Send a signal to the daemon."""
        self.popen.send_signal(number)

    def wait(self) -> int:
        """Wait until the daemon ended; returns its exit code."""
        return self.popen.wait(PATIENCE)

    def terminate(self) -> int:
        """SIGTERM, and wait; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    @property
    def listener(self) -> int:
        """Pid of who listens at the socket, whatever it is wrapped in; 0 when nobody does."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
            except OSError:
                return 0
            found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", found)[0])

    def _innermost(self) -> int:
        """Pid of the daemon, or of what it is wrapped in as far as that has come."""
        pid = self.pid
        while inner := [child for child in children_of(pid) if str(self.config) in command_of(child)]:
            pid = inner[0]
        return pid

    def end(self) -> None:
        """Make sure that nothing of it is left."""
        pid = self.listener or self._innermost()
        if self.popen.poll() is not None and not lives(pid):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            eventually(lambda: self.popen.poll() is not None and not lives(pid), patience=5)
            return
        for child in children_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.popen.kill()
        self.popen.wait()


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(directory: Path, *names: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for host names, and its key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    alternatives = ",".join(f"DNS:{name}" for name in names)
    what = ["-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}"]
    where = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *what, *where],
        check=True,
        capture_output=True,
    )
    return certificate, key
