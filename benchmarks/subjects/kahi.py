"""This project."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.subjects import exchange
from benchmarks.subjects.program import Program
from benchmarks.subjects.subject import Subject

BIN = Path(sys.executable).parent


class Kahi(Subject):
    """Kahi with its API on a Unix socket.

    Args:
        disabled: plugins that stay out.
    """

    name = "kahi"

    def __init__(self, disabled: tuple[str, ...] = ()) -> None:
        self._disabled = disabled

    def version(self) -> str:
        """Of core."""
        return version("kahi-core")

    def alone(self) -> Subject:
        """Core and API."""
        return Kahi(("webui", "metrics", "webhooks", "migrate", "fips"))

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """TOML."""
        lines = [
            "[supervisor]",
            f"disabled_plugins = {list(self._disabled)}",
            "[server.unix]",
            f'file = "{directory}/k.sock"',
        ]
        for program in programs:
            lines += [
                f"[programs.{program.name}]",
                f'command = "{program.command}"',
                "autorestart = true",
                f'stdout_logfile = "{program.logfile or "/dev/null"}"',
                'stderr_logfile = "/dev/null"',
            ]
        (directory / "kahi.toml").write_text("\n".join(lines) + "\n")
        return [str(BIN / "kahi"), "daemon", "-c", str(directory / "kahi.toml")]

    def answers(self, directory: Path) -> bool:
        """GET /healthz."""
        return exchange.is_well(directory / "k.sock", exchange.get("/healthz"))

    def status(self, directory: Path) -> int:
        """GET /api/v1/processes."""
        return len(exchange.ask(directory / "k.sock", exchange.get("/api/v1/processes")))

    def status_command(self, directory: Path) -> list[str]:
        """`kahi ctl status`."""
        return [str(BIN / "kahi"), "ctl", "-s", f"{directory}/k.sock", "status"]

    def reload(self, directory: Path) -> None:
        """POST /api/v1/config/reload."""
        request = exchange.post("/api/v1/config/reload", "application/json", b"{}")
        answer = exchange.ask(directory / "k.sock", request)
        if b" 200 " not in answer[:64]:
            raise RuntimeError(answer.decode(errors="replace"))
