"""The supervisors that are measured: how each is configured, started and asked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BIN = Path(sys.executable).parent

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Everybody may keep compiled code, as an installed program does."""


@dataclass(frozen=True)
class Program:
    """One program to supervise: the command is split by shell rules.

    ``logfile`` is rotated as by default; "" stands for /dev/null.
    """

    name: str
    command: str
    autorestart: bool = True
    logfile: str = ""


class Subject(Protocol):
    """A supervisor that can be measured."""

    name: str

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """Write a configuration; returns the command of the daemon."""
        ...

    def answers(self, directory: Path) -> bool:
        """Whether its API answers a request."""
        ...

    def status_command(self, directory: Path) -> list[str]:
        """The command that shows the status of all programs."""
        ...


class Kahi:
    """This project, with its API."""

    name = "kahi"

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """TOML."""
        lines = ["[server.unix]", f'file = "{directory}/k.sock"']
        for program in programs:
            lines += [
                f"[programs.{program.name}]",
                "command = '''{}'''".format(program.command.replace("$", "$$").replace("%", "%%")),
                f"autorestart = {str(program.autorestart).lower()}",
                f'stdout_logfile = "{program.logfile or "/dev/null"}"',
                'stderr_logfile = "/dev/null"',
            ]
        (directory / "kahi.toml").write_text("\n".join(lines) + "\n")
        return [str(BIN / "kahi"), "daemon", "-c", str(directory / "kahi.toml")]

    def answers(self, directory: Path) -> bool:
        """GET /healthz over the Unix socket."""
        return _ask(directory / "k.sock", b"GET /healthz HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")

    def status_command(self, directory: Path) -> list[str]:
        """`kahi ctl status`."""
        return [str(BIN / "kahi"), "ctl", "-s", f"{directory}/k.sock", "status"]


class Supervisord:
    """supervisord from PyPI."""

    name = "supervisord"

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """INI."""
        lines = [
            "[supervisord]",
            "nodaemon=true",
            f"logfile={directory}/supervisord.log",
            f"pidfile={directory}/pid",
            "[unix_http_server]",
            f"file={directory}/s.sock",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisorctl]",
            f"serverurl=unix://{directory}/s.sock",
        ]
        for program in programs:
            lines += [
                f"[program:{program.name}]",
                "command=" + program.command.replace("%", "%%"),
                f"autorestart={str(program.autorestart).lower()}",
                f"stdout_logfile={program.logfile or '/dev/null'}",
                *(() if program.logfile else ("stdout_logfile_maxbytes=0",)),
                "stderr_logfile=/dev/null",
                "stderr_logfile_maxbytes=0",
            ]
        (directory / "supervisord.conf").write_text("\n".join(lines) + "\n")
        return [str(BIN / "supervisord"), "-c", str(directory / "supervisord.conf")]

    def answers(self, directory: Path) -> bool:
        """supervisor.getState by XML-RPC over the Unix socket."""
        body = b"<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>"
        head = (
            b"POST /RPC2 HTTP/1.1\r\nHost: k\r\nContent-Type: text/xml\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        return _ask(directory / "s.sock", head + body)

    def status_command(self, directory: Path) -> list[str]:
        """`supervisorctl status`."""
        return [str(BIN / "supervisorctl"), "-c", str(directory / "supervisord.conf"), "status"]


SUBJECTS: tuple[Subject, ...] = (Kahi(), Supervisord())


def _ask(path: Path, request: bytes) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(request)
            return b" 200 " in client.recv(4096)
        except OSError:
            return False


@dataclass
class Running:
    """A daemon under measurement; ``begun`` is when it was executed (monotonic)."""

    subject: Subject
    directory: Path
    process: subprocess.Popen[bytes]
    begun: float

    @property
    def pid(self) -> int:
        """Of the daemon."""
        return self.process.pid

    def end(self) -> float:
        """SIGTERM; returns the seconds until the daemon is gone."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        return time.monotonic() - begin

    def wait_until_it_answers(self) -> float:
        """Seconds from exec to the first answer of the API."""
        while not self.subject.answers(self.directory):
            time.sleep(0.0005)
        return time.monotonic() - self.begun


@contextlib.contextmanager
def running(subject: Subject, programs: list[Program]) -> Iterator[Running]:
    """Run a supervisor in a directory of its own, and end it."""
    directory = Path(f"/tmp/kahi-bench-{os.getpid()}-{subject.name}")
    directory.mkdir()
    command = subject.configure(directory, programs)
    begun = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory, env=ENVIRONMENT
    )
    try:
        yield Running(subject, directory, process, begun)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        shutil.rmtree(directory)
