"""The Python of the how-to guides on plugins and pools does what it is shown for."""

from __future__ import annotations

import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import kahi.testing
from kahi.plugins import PluginManager
from kahi.testing import Running
from tests.docs.blocks import BLOCKS, Block
from tests.support import PATIENCE, Daemon, eventually, free_port, install_plugin


def python_of(page: str) -> list[Block]:
    """The Python of a how-to guide, block by block."""
    return [block for block in BLOCKS if block.page == f"docs/how-to/{page}" and block.language == "python"]


def module(name: str, code: str) -> types.ModuleType:
    """A module of the code of a block."""
    made = types.ModuleType(name)
    exec(code, vars(made))
    return made


def test_the_plugin_of_the_guide_is_one() -> None:
    plugin = module("kahi_notify", python_of("plugins.md")[0].text)
    plugins = PluginManager()
    plugins.register(plugin, "notify")
    assert [section.name for section in plugins.declare_sections()] == ["notify"]
    assert [service.name for _, service in plugins.services(None)] == ["writer"]  # type: ignore[arg-type]
    assert plugins.list()[0].status == "active"


def test_the_tests_of_the_guide_pass(
    supervise: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, tests = (block.text for block in python_of("plugins.md"))
    monkeypatch.setitem(sys.modules, "kahi_notify", module("kahi_notify", code))
    found = vars(module("tests", tests))
    found["test_it_is_a_plugin"]()
    found["test_who_gives_up_is_noted"](supervise, tmp_path)


def test_the_kit_for_tests_is_documented_whole() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/how-to/plugins.md").read_text(encoding="utf-8")
    for name in (*kahi.testing.__all__, *vars(Running)):
        if not name.startswith("_") and name not in ("Running", "context", "directory"):
            assert f"`{name}" in text or f".{name}" in text, name


FAILS = """
[programs.web]
command = "/there/is/none"
startretries = 0
"""


def test_the_counter_of_crashes_counts(supervise: Callable[..., Running]) -> None:
    plugin = module("kahi_crashcount", python_of("event-plugin.md")[0].text)
    assert kahi.testing.check_plugin(plugin) == []
    running = supervise(FAILS, plugins=[plugin])
    running.wait_for("web", "FATAL")
    running.wait_until(lambda: plugin.crashes["web"] == 1)
    running.wait_until(lambda: "web ended unexpectedly, 1 times so far" in running.daemon_log)


def test_the_slow_plugin_tells(supervise: Callable[..., Running], tmp_path: Path) -> None:
    told = tmp_path / "told"
    logger = tmp_path / "logger"
    logger.write_text(f'#!/bin/sh\necho "$1" >> {told}\n')
    logger.chmod(0o755)
    code = python_of("event-plugin.md")[1].text
    plugin = module("kahi_slow", code.replace('"logger"', f'"{logger}"'))
    running = supervise(FAILS, plugins=[plugin])
    running.wait_until(lambda: told.exists() and "web: cannot run /there/is/none" in told.read_text())


def test_the_routes_of_the_guide_answer(daemon: Callable[..., Daemon], short_tmp: Path) -> None:
    page = "docs/how-to/api-routes.md"
    (block,) = (block for block in python_of("api-routes.md") if "maintenance" in block.title)
    running = daemon("", environ=install_plugin(short_tmp, "maintenance", block.text))
    (shell,) = (block for block in BLOCKS if block.page == page and block.language == "sh")
    answers = [
        subprocess.run(
            line.replace("kahi.sock", str(running.socket)),
            shell=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout
        for line in shell.text.splitlines()
    ]
    assert answers == ['{"text":"new disks"}'] * 2
    assert "/api/v1/maintenance" in running.get("/api/v1/openapi.json")["paths"]
    assert running.says("POST /api/v1/maintenance")


def test_the_reader_with_a_token_may_look_only(daemon: Callable[..., Daemon], short_tmp: Path) -> None:
    (block,) = (block for block in python_of("api-routes.md") if "token" in block.title)
    port = free_port()
    environ = install_plugin(short_tmp, "token", block.text) | {"KAHI_READ_TOKEN": "t0ken"}
    daemon(
        f'[server.http]\nenabled = true\nlisten = "127.0.0.1:{port}"\nusername = "u"\n'
        'password = "$$2b$$10$$xQ7NB7aMvWUmC1cBFOaMCuf6XA5WFnKEbymffOIF8jWOBQ7CgY0Pu"\n',
        environ=environ,
    )

    def status(token: str, path: str, *arguments: str) -> str:
        shown = ("-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}")
        return subprocess.run(
            ["curl", *shown, *arguments, f"http://127.0.0.1:{port}/api/v1/{path}"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout

    assert status("t0ken", "processes") == "200"
    assert status("other", "processes") == "401"
    assert status("t0ken", "shutdown", "-X", "POST") == "403"


def test_the_client_of_the_readme_tells_who_does_not_run(daemon: Callable[..., Daemon]) -> None:
    (block,) = (b for b in BLOCKS if b.page == "kahi-api/README.md" and b.language == "python")
    running = daemon(FAILS)
    running.wait_for("web", "FATAL")
    code = block.text.replace("/run/kahi/kahi.sock", str(running.socket))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "['web']\n"


def test_the_worker_of_the_guide_finishes_its_job(tmp_path: Path) -> None:
    (block,) = python_of("worker-pools.md")
    with subprocess.Popen(
        [sys.executable, "-c", block.text], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as worker:
        status = Path(f"/proc/{worker.pid}/status")

        def catches() -> bool:
            caught = next(
                line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt")
            )
            return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

        eventually(catches, "it catches SIGTERM")
        worker.send_signal(signal.SIGTERM)
        assert worker.communicate(timeout=PATIENCE)[0] == "the last job is done\n"
    assert worker.returncode == 0
