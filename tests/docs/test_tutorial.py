"""The tutorials, done from top to bottom: first-project.md with a daemon of its own, container.md as PID 1."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCKS, Block
from tests.docs.walk import PROGRAMS, Walk
from tests.support import PATIENCE, children_of, eventually, free_port

INSTALLING = ("python3 -m venv", "~/shop/.venv/bin/pip", "cd ~/shop", ". .venv")
"""What is done already where tests run."""


def of_page(name: str) -> list[Block]:
    """The blocks of a tutorial."""
    return [block for block in BLOCKS if block.page == f"docs/tutorial/{name}"]


@pytest.mark.slow
def test_the_first_project(short_tmp: Path) -> None:
    """It takes as long as the shop needs to be found sold out: a few seconds."""
    walk = Walk(short_tmp, ports=(8000, 9876), skip=INSTALLING)
    try:
        walk.follow(of_page("first-project.md"))
        assert walk.daemon is not None
        assert walk.daemon.wait(PATIENCE) == 0
    finally:
        walk.end()
    assert walk.done[-1] == "kahi ctl shutdown"
    said = (short_tmp / "terminal").read_text(encoding="utf-8")
    assert '"process": "shop", "stream": "stdout", "log": "open"' in said


class Container:
    """As much of a container as the tutorial needs: a world of processes in which Kahi is PID 1."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.directory = directory
        (directory / "shop").mkdir()
        (directory / "tmp").mkdir()
        for block in [*of_page("first-project.md"), *of_page("container.md")]:
            name = Path(block.title).name
            if name in ("shop.py", "packer.py") or block.title.startswith("shop/"):
                (directory / "shop" / name).write_text(self._own(block.text), encoding="utf-8")
        self.image = (directory / "shop" / "Dockerfile").read_text(encoding="utf-8")
        self.environ = {
            **os.environ,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "KAHI_CONFIG": str(directory / "shop" / "kahi.toml"),
        }
        self.output = directory / "output"
        with self.output.open("ab") as output:
            self.popen = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *self.command("CMD")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environ,
            )
        (self.pid,) = eventually(lambda: children_of(self.popen.pid), "Kahi is PID 1")

    def _own(self, text: str) -> str:
        for name, other in (
            ('"/shop"', f'"{self.directory}/shop"'),
            ("/run/kahi/", f"{self.directory}/"),
            ("/tmp/stock", f"{self.directory}/tmp/stock"),
            ("8000", str(self.port)),
        ):
            text = text.replace(name, other)
        return text

    def command(self, instruction: str) -> list[str]:
        """The command that an instruction of the image names as a list."""
        found = re.search(rf"^{instruction} .*?(\[.*\])$", self.image, re.MULTILINE)
        assert found
        return json.loads(found[1])

    def exec(self, command: list[str] | str) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        words = ["sh", "-c", command] if isinstance(command, str) else command
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--pid", "--mount", *words],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environ,
            check=False,
        )

    def stop(self) -> int:
        """What `docker stop` does; the exit code of the container."""
        os.kill(self.pid, signal.SIGTERM)
        return self.popen.wait(PATIENCE)


@pytest.fixture
def container(short_tmp: Path) -> Iterator[Container]:
    """The container of the tutorial."""
    made = Container(short_tmp)
    yield made
    if made.popen.poll() is None:
        made.popen.kill()
        made.popen.wait()


@pytest.mark.slow
@pytest.mark.needs_namespaces
def test_the_container(container: Container) -> None:
    healthy = container.command("HEALTHCHECK")
    eventually(lambda: container.exec(healthy).returncode == 0, "it is healthy")
    assert container.exec(["kahi", "ctl", "pid"]).stdout == "1\n"
    for block in of_page("container.md"):
        for inner in re.findall(r"^docker exec shop (.*)$", block.text, re.MULTILINE):
            done = container.exec(inner)
            assert done.returncode == 0, done.stderr
    assert (
        "apples"
        in container.exec(f"curl -s --retry 3 --retry-connrefused http://127.0.0.1:{container.port}/").stdout
    )
    assert container.stop() == 0
    output = container.output.read_text(encoding="utf-8")
    assert "\nopen\n" in output
    assert "packer 0: order 1 is packed" in output
