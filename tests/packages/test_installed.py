"""Each wheel in an environment of its own: it brings what it says, and its part works."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi.build import from_git
from kahi.version import __version__
from tests.support import PATIENCE, ROOT, Daemon, eventually
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.slow

Start = Callable[..., Daemon]
SLEEPER = '[programs.web]\ncommand = "sleep 3600"\nstartsecs = 0\n'


class Environment:
    """A fresh virtual environment."""

    def __init__(self, directory: Path, distributions: Path) -> None:
        self.bin = directory / "bin"
        self._find_links = distributions
        self.uv = shutil.which("uv")
        made = (
            [self.uv, "venv", "-q", "--python", sys.executable] if self.uv else [sys.executable, "-m", "venv"]
        )
        subprocess.run([*made, directory], check=True, timeout=120)

    def install(self, *wheels: str) -> None:
        """Install with wheels of Kahi from what was built, and what they need from elsewhere."""
        program = [self.uv, "pip"] if self.uv else [self.bin / "python", "-m", "pip"]
        where = ["--python", self.bin / "python"] if self.uv else ["--disable-pip-version-check"]
        links = ["--find-links", self._find_links]
        subprocess.run([*program, "install", "-q", *where, *links, *wheels], check=True, timeout=600)

    def wheel(self, name: str, extras: str = "") -> str:
        """The wheel of a distribution as something that can be installed."""
        file = self._find_links / f"{name.replace('-', '_')}-{__version__}-py3-none-any.whl"
        return f"{name}{extras} @ {file.as_uri()}"

    def ours(self) -> set[str]:
        """Distributions of Kahi that are installed."""
        code = "from importlib.metadata import distributions as d; print(*(e.name for e in d()))"
        return {name for name in self.run("python", "-c", code).stdout.split() if name.startswith("kahi")}

    def run(self, program: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to its end."""
        done = subprocess.run(
            [self.bin / program, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


Make = Callable[[str], Environment]


@pytest.fixture
def alone(distributions: Path, tmp_path: Path) -> Make:
    """Makes a fresh environment with one wheel and what that asks for."""

    def make(name: str) -> Environment:
        made = Environment(tmp_path / "venv", distributions)
        made.install(made.wheel(name))
        return made

    return make


def fetch(running: Daemon, path: str) -> str:
    """What a GET on the control socket answers."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(PATIENCE)
    connection.sock.connect(str(running.socket))
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def test_core_alone_supervises(alone: Make, short_tmp: Path) -> None:
    here = alone("kahi-core")
    assert here.ours() == {"kahi-core"}
    told = json.loads(here.run("kahi", "version", "--json").stdout)
    assert (told["version"], told["commit"], told["date"]) == (__version__, *from_git(ROOT))
    assert "pip install 'kahi[api]'" in here.run("kahi", "ctl", "status", code=1).stderr
    assert (here.bin.parent / "share/man/man1/kahi-daemon.1").is_file()

    toml = f"""
[programs.again]
command = ["sh", "-c", "echo $$$$ >> {short_tmp}/pids; exec sleep 3600"]
startsecs = 0
"""
    (short_tmp / "kahi.toml").write_text(toml, encoding="utf-8")
    running = subprocess.Popen([here.bin / "kahi", "daemon", "-c", short_tmp / "kahi.toml"])
    pids = short_tmp / "pids"
    try:
        eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
        os.kill(int(pids.read_text()), signal.SIGKILL)
        eventually(lambda: len(pids.read_text().split()) == 2, "it is started again")
    finally:
        running.terminate()
        assert running.wait(PATIENCE) == 0


def test_api_is_asked_by_ctl(alone: Make, daemon: Start) -> None:
    here = alone("kahi-api")
    assert here.ours() == {"kahi-core", "kahi-api"}
    running = daemon(SLEEPER, program=[here.bin / "kahi"])
    assert "RUNNING" in here.run("kahi", "ctl", "-s", str(running.socket), "status").stdout
    assert here.run("kahi", "ctl", "-s", str(running.socket), "health").stdout == "OK\n"
    text = (ROOT / "kahi-api/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    example = example.replace("/run/kahi/kahi.sock", str(running.socket)).replace(
        '!= "RUNNING"', '== "RUNNING"'
    )
    assert here.run("python", "-c", example).stdout == "['web']\n"
    told = running.get("/api/v1/version")
    assert (told["commit"], told["date"]) == from_git(ROOT)
    assert {plugin["name"] for plugin in told["plugins"]} == {"api"}


def test_web_page_is_served(alone: Make, daemon: Start) -> None:
    here = alone("kahi-webui")
    assert here.ours() == {"kahi-core", "kahi-api", "kahi-webui"}
    running = daemon(SLEEPER, program=[here.bin / "kahi"])
    assert "web" in fetch(running, "/")


def test_metrics_are_served(alone: Make, daemon: Start) -> None:
    here = alone("kahi-metrics")
    assert here.ours() == {"kahi-core", "kahi-api", "kahi-metrics"}
    running = daemon(SLEEPER, program=[here.bin / "kahi"])
    assert 'kahi_process_state{group="web",name="web"} 20.0' in fetch(running, "/metrics")
    assert json.loads(here.run("kahi", "metrics", "dashboard").stdout)["panels"]


def test_webhooks_are_sent(alone: Make) -> None:
    here = alone("kahi-webhooks")
    assert here.ours() == {"kahi-core", "kahi-webhooks"}
    with contextlib.closing(Receiver()) as receiver:
        toml = f'{SLEEPER}\n[webhooks.ops]\nurl = "{receiver.url}"\n'
        directory = here.bin.parent
        (directory / "kahi.toml").write_text(toml, encoding="utf-8")
        running = subprocess.Popen([here.bin / "kahi", "daemon", "-c", directory / "kahi.toml"])
        try:
            receiver.wait_for(2)
            assert receiver.types[:2] == ["PROCESS_STATE_STARTING", "PROCESS_STATE_RUNNING"]
        finally:
            running.terminate()
            assert running.wait(PATIENCE) == 0


def test_migrate_alone_migrates(alone: Make, tmp_path: Path) -> None:
    here = alone("kahi-migrate")
    assert here.ours() == {"kahi-core", "kahi-migrate"}
    source = tmp_path / "supervisord.conf"
    source.write_text("[program:web]\ncommand=sleep 3600\nautorestart=true\n", encoding="utf-8")
    here.run("kahi-migrate", str(source), "-o", str(tmp_path / "kahi.toml"))
    assert "[programs.web]" in (tmp_path / "kahi.toml").read_text(encoding="utf-8")
    here.run("kahi", "check", "-c", str(tmp_path / "kahi.toml"))
    assert (
        "kind: Deployment"
        in here.run("kahi", "export", "kubernetes", "-c", str(tmp_path / "kahi.toml")).stdout
    )


def test_fips_refuses_without_its_provider(alone: Make) -> None:
    here = alone("kahi-fips")
    assert here.ours() == {"kahi-core", "kahi-fips"}
    assert here.run("kahi-fips", "version", code=1).stderr.startswith("kahi-fips: ")
    assert json.loads(here.run("kahi", "version", "--json").stdout)["fips"]["mode"] == "off"


def test_extras_select(distributions: Path, tmp_path: Path) -> None:
    here = Environment(tmp_path / "venv", distributions)
    here.install(here.wheel("kahi"))
    assert here.ours() == {"kahi", "kahi-core"}
    here.install(here.wheel("kahi", "[api]"))
    assert here.ours() == {"kahi", "kahi-core", "kahi-api"}
    here.install(here.wheel("kahi", "[migrate,webhooks]"))
    assert here.ours() == {"kahi", "kahi-core", "kahi-api", "kahi-migrate", "kahi-webhooks"}
    here.install(here.wheel("kahi", "[all]"))
    assert here.ours() == {"kahi", *(path.name for path in ROOT.glob("kahi-*") if path.is_dir())}
    commands = here.run("kahi", "--help").stdout
    assert "Not installed" not in commands
    # No version of any library that one of them does not want.
    if not shutil.which("uv"):
        here.run("python", "-m", "pip", "check")


def test_readme_installs(distributions: Path, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install .*$", text, re.MULTILINE)
    here = Environment(tmp_path / "venv", distributions)
    (tmp_path / "dist").symlink_to(distributions)
    if here.uv:
        line = line.replace("pip install", f"uv pip install -q --python {here.bin}/python")
    environ = {**os.environ, "PATH": f"{here.bin}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", line], cwd=tmp_path, env=environ, check=True, timeout=600)
    assert here.ours() == {"kahi", "kahi-core", "kahi-api", "kahi-webui"}
