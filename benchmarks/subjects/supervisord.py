"""supervisord from PyPI."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.subjects import exchange
from benchmarks.subjects.program import Program
from benchmarks.subjects.subject import Subject

BIN = Path(sys.executable).parent


class Supervisord(Subject):
    """supervisord with XML-RPC on a Unix socket."""

    name = "supervisord"

    def missing(self) -> str:
        """It comes with the tools for development."""
        return "" if shutil.which(BIN / "supervisord") else "is not installed in this environment"

    def version(self) -> str:
        """Of the distribution."""
        return version("supervisor")

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """INI."""
        lines = [
            "[supervisord]",
            "nodaemon=true",
            "minfds=8192",
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
                f"command={program.command}",
                "autorestart=true",
                f"stdout_logfile={program.logfile or '/dev/null'}",
                *(() if program.logfile else ("stdout_logfile_maxbytes=0",)),
                "stderr_logfile=/dev/null",
                "stderr_logfile_maxbytes=0",
            ]
        (directory / "supervisord.conf").write_text("\n".join(lines) + "\n")
        return [str(BIN / "supervisord"), "-c", str(directory / "supervisord.conf")]

    def answers(self, directory: Path) -> bool:
        """supervisor.getState."""
        return exchange.is_well(directory / "s.sock", _call("supervisor.getState"))

    def status(self, directory: Path) -> int:
        """supervisor.getAllProcessInfo."""
        return len(exchange.ask(directory / "s.sock", _call("supervisor.getAllProcessInfo")))

    def status_command(self, directory: Path) -> list[str]:
        """`supervisorctl status`."""
        return [str(BIN / "supervisorctl"), "-c", str(directory / "supervisord.conf"), "status"]

    def reload(self, directory: Path) -> None:
        """supervisor.reloadConfig: all of `supervisorctl update` when nothing has changed."""
        exchange.ask(directory / "s.sock", _call("supervisor.reloadConfig"))


def _call(method: str) -> bytes:
    body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName></methodCall>"
    return exchange.post("/RPC2", "text/xml", body.encode())
