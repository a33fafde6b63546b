"""As much of a container as tests need: a world of processes in which Kahi is PID 1."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import PATIENCE, children_of, eventually

PROGRAMS = Path(sys.executable).parent


class Container:
    """Runs the command of an image, as root in namespaces of its own.

    Args:
        image: the text of its Dockerfile.
        worlds: namespaces beside those of processes and mounts, as options of unshare and nsenter.
        setting: the beginning of a command that prepares the file system and executes the rest.
    """

    def __init__(
        self,
        directory: Path,
        image: str,
        config: str,
        *,
        worlds: Sequence[str] = (),
        setting: Sequence[str] = (),
    ) -> None:
        self.image = image
        self.output = directory / "output"
        self._worlds = worlds
        self._environ = {
            **os.environ,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "KAHI_CONFIG": config,
        }
        apart = ["unshare", "--pid", "--fork", "--mount", *worlds, "--mount-proc", "--kill-child"]
        with self.output.open("ab") as output:
            self.popen = subprocess.Popen(
                [*apart, *setting, *self.command("CMD")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environ,
            )
        (self.pid,) = eventually(lambda: children_of(self.popen.pid), "Kahi is PID 1")

    def command(self, instruction: str) -> list[str]:
        """The command that an instruction of the image names as a list."""
        found = re.search(rf"^{instruction} .*?(\[.*\])$", self.image, re.MULTILINE)
        assert found
        return json.loads(found[1])

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What `docker exec` does."""
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--pid", "--mount", *self._worlds, *command],
            capture_output=True,
            text=True,
            timeout=60,
            env=self._environ,
            check=False,
        )

    def stop(self) -> int:
        """What `docker stop` does; the exit code of the container."""
        os.kill(self.pid, signal.SIGTERM)
        return self.popen.wait(PATIENCE)

    def end(self) -> None:
        """Kill what still runs."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
