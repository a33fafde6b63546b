"""The tutorials, done from top to bottom: first-project.md with a daemon of its own, container.md as PID 1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.container import Container
from tests.docs.blocks import BLOCKS, Block
from tests.docs.walk import Walk
from tests.support import PATIENCE, eventually, free_port

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


def lay_out(directory: Path, port: int) -> str:
    """The shop, with its files where the image has them; the text of the Dockerfile."""
    shop = directory / "shop"
    shop.mkdir()
    (directory / "tmp").mkdir()
    for block in [*of_page("first-project.md"), *of_page("container.md")]:
        name = Path(block.title).name
        if name in ("shop.py", "packer.py") or block.title.startswith("shop/"):
            text = block.text
            for there, here in (
                ('"/shop"', f'"{shop}"'),
                ("/run/kahi/", f"{directory}/"),
                ("/tmp/stock", f"{directory}/tmp/stock"),
                ("8000", str(port)),
            ):
                text = text.replace(there, here)
            (shop / name).write_text(text, encoding="utf-8")
    return (shop / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.needs_namespaces
def test_the_container(short_tmp: Path) -> None:
    port = free_port()
    image = lay_out(short_tmp, port)
    container = Container(short_tmp, image, str(short_tmp / "shop" / "kahi.toml"))
    try:
        walk_through(container, port)
    finally:
        container.end()


def walk_through(container: Container, port: int) -> None:
    """Do what the page says, and stop it."""
    healthy = container.command("HEALTHCHECK")
    eventually(lambda: container.exec(*healthy).returncode == 0, "it is healthy")
    assert container.exec("kahi", "ctl", "pid").stdout == "1\n"
    for block in of_page("container.md"):
        for inner in re.findall(r"^docker exec shop (.*)$", block.text, re.MULTILINE):
            done = container.exec("sh", "-c", inner)
            assert done.returncode == 0, done.stderr
    page = f"http://127.0.0.1:{port}/"
    assert "apples" in container.exec("curl", "-s", "--retry", "3", "--retry-connrefused", page).stdout
    assert container.stop() == 0
    output = container.output.read_text(encoding="utf-8")
    assert "\nopen\n" in output
    assert "packer 0: order 1 is packed" in output
