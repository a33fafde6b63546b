"""What the how-to guides tell to type works on a daemon."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCKS
from tests.docs.checkers import VARIABLES
from tests.docs.walk import Walk, general
from tests.support import PATIENCE, Daemon, eventually, free_port
from tests.webhooks.receiver import Receiver

PAGES = ("operating", "worker-pools", "logs", "metrics")

NOT_RUN = {
    " -f": "goes on until Ctrl-C; tests/e2e/test_ctl_terminal.py",
    "--watch": "goes on until q; tests/e2e/test_ctl_terminal.py",
    "attach": "needs a terminal; tests/e2e/test_attach.py",
    "shell": "needs a terminal; tests/e2e/test_ctl_terminal.py",
    "shutdown": "would end the daemon that the others need; tests/e2e/test_shutdown.py",
    "--addr": "names a machine that there is not; tests/e2e/test_ctl_tcp.py",
    "hash-password": "reads a password; tests/e2e/test_ctl_tcp.py",
}
"""Command lines that are only read, by what they hold, and where they are run."""

CONFIGURATION = """
[server.unix]
file = "%(here)s/kahi.sock"

[programs.web]
command = "sh -c 'trap : HUP; echo listening; while read line; do echo $line; done; sleep 3600'"
stdout_logfile = "%(here)s/web.log"
startsecs = 0

[programs.worker]
command = "sleep 3600"
numprocs = 4
startsecs = 0

[programs.database]
command = "sleep 3600"
startsecs = 0

[programs.front]
command = "sh -c 'echo listening; exec sleep 3600'"
startsecs = 0

[groups.api]
programs = ["front"]
"""


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A directory with a daemon that all guides share."""
    directory = tmp_path_factory.mktemp("guides")
    (directory / "kahi.toml").write_text(CONFIGURATION, encoding="utf-8")
    made = Walk(directory)
    made.follow(block for block in BLOCKS if block.page == "docs/index.md" and block.language == "sh")
    yield made
    made.end()


def lines_of(page: str) -> Iterator[str]:
    """The command lines of a guide."""
    for block in BLOCKS:
        if block.page == f"docs/how-to/{page}.md" and block.language in ("sh", "console"):
            for line in block.text.splitlines():
                if block.language == "sh" or line.startswith("$ "):
                    yield line.removeprefix("$ ")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_command_lines_work(walk: Walk, page: str) -> None:
    assert walk.run("kahi ctl restart all").returncode == 0
    for line in lines_of(page):
        if any(words in line for words in NOT_RUN):
            continue
        line = re.sub(r"--unix-socket \S+", "--unix-socket kahi.sock --fail", line)
        if line.startswith("curl -N"):
            line += " --max-time 1"
        done = walk.run(line)
        assert done.returncode == (28 if "--max-time" in line else 0), f"{line}: {done.stdout}"


@pytest.mark.slow
def test_a_line_on_the_console_looks_as_shown(walk: Walk) -> None:
    page = "docs/how-to/logs.md"
    (shown,) = (json.loads(b.text) for b in BLOCKS if b.page == page and b.language == "json")

    def printed() -> list[dict[str, str]]:
        lines = (walk.directory / "terminal").read_text(encoding="utf-8").splitlines()
        return [line for line in map(json.loads, lines) if line.get("process") == "front"]

    line = eventually(printed, "front has printed something")[0]
    assert list(line) == list(shown)
    assert (line["stream"], line["log"]) == (shown["stream"], shown["log"])
    assert general(line["time"]) == general(shown["time"])


@pytest.mark.slow
def test_the_status_of_a_healthy_server(short_tmp: Path) -> None:
    page = "docs/how-to/health-checks.md"
    toml, console = (
        next(block for block in BLOCKS if block.page == page and block.language == language)
        for language in ("toml", "console")
    )
    walk = Walk(short_tmp, ports=(8000,))
    try:
        socket = '\n[server.unix]\nfile = "%(here)s/kahi.sock"\n'
        port = walk.ports["8000"]
        text = toml.text.replace("8000", port).replace("localhost", "127.0.0.1")
        (short_tmp / "kahi.toml").write_text(text + socket, encoding="utf-8")
        walk.follow(b for b in BLOCKS if b.page == "docs/index.md" and b.language == "sh")
        walk.follow([console])
    finally:
        walk.end()


def test_a_webhook_that_is_tried(
    kahi: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    page = "docs/how-to/webhooks.md"
    toml = next(b.text for b in BLOCKS if b.page == page and '"slack"' in b.text and b.language == "toml")
    shown = next(b.text for b in BLOCKS if b.page == page and b.language == "console")
    receiver = Receiver()
    try:
        (tmp_path / "kahi.toml").write_text(toml, encoding="utf-8")
        command, _, printed = shown.removeprefix("$ kahi ").partition("\n")
        done = kahi(*command.split(), cwd=tmp_path, environ={**VARIABLES, "SLACK_WEBHOOK": receiver.url})
        assert done.returncode == 0, done.stderr
        assert general(re.sub(r"https?://\S+", "URL", done.stdout)) == general(
            re.sub(r"https?://\S+", "URL", printed)
        )
    finally:
        receiver.close()


@pytest.mark.slow
def test_the_readme_shows_the_demo(daemon: Callable[..., Daemon], short_tmp: Path) -> None:
    readme = next(b.text for b in BLOCKS if b.page == "README.md" and b.language == "console")
    table = re.findall(r"^(\w+) +([A-Z]+) +\S+ +\S+ +(.+)$", readme, re.MULTILINE)[1:]
    demo = Path(__file__).resolve().parents[2] / "examples" / "demo"
    running = daemon(
        (demo / "kahi.toml").read_text(encoding="utf-8").replace("%(here)s", str(demo)),
        environ={
            "KAHI_DEMO_SOCKET": str(short_tmp / "k.sock"),
            "KAHI_DEMO_PORT": str(free_port()),
            "KAHI_DEMO_PAGE_PORT": str(free_port()),
        },
    )

    def is_as_shown() -> bool:
        found = running.processes().values()
        return [(p.name, p.state, general(p.description)) for p in found] == [
            (name, state, general(description)) for name, state, description in table
        ]

    eventually(is_as_shown, "the demo's status is that of the README", PATIENCE)
