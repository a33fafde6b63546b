"""circus from PyPI, which needs an environment of its own (``make bench-peers``)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.subjects.program import Program
from benchmarks.subjects.subject import Subject

PEERS = Path(__file__).parent.parent.parent / ".venv-peers" / "bin"


class Circus(Subject):
    """circusd with its ZeroMQ endpoint on a Unix socket."""

    name = "circus"
    takes_logs = False

    def missing(self) -> str:
        """It is looked for in ``.venv-peers`` and on the PATH."""
        return "" if _found("circusd") else "circusd is not installed (make bench-peers)"

    def version(self) -> str:
        """As it says."""
        answer = subprocess.run([_found("circusd"), "--version"], capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    def configure(self, directory: Path, programs: list[Program]) -> list[str]:
        """INI."""
        lines = [
            "[circus]",
            f"endpoint = ipc://{directory}/c.sock",
            f"pubsub_endpoint = ipc://{directory}/p.sock",
            "warmup_delay = 0",
        ]
        for program in programs:
            command, _, arguments = program.command.partition(" ")
            lines += [
                f"[watcher:{program.name}]",
                f"cmd = {command}",
                f"args = {arguments}",
                "copy_env = True",
                "max_retry = -1",
            ]
        (directory / "circus.ini").write_text("\n".join(lines) + "\n")
        return [_found("circusd"), str(directory / "circus.ini")]

    def status_command(self, directory: Path) -> list[str]:
        """`circusctl status`."""
        return [_found("circusctl"), "--endpoint", f"ipc://{directory}/c.sock", "status"]


def _found(program: str) -> str:
    return shutil.which(program, path=str(PEERS)) or shutil.which(program) or ""
