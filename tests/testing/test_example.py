"""The example of a plugin, from the outside: built, installed beside core alone, tested, used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import PATIENCE, ROOT, eventually

EXAMPLE = ROOT / "examples" / "kahi-plugin-notify"
MODULE = EXAMPLE / "src" / "kahi_notify" / "__init__.py"


def environ() -> dict[str, str]:
    """An environment in which nothing of this checkout is found."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(*command: object, **options: Any) -> str:
    """What a command prints; fails with all that it printed when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
        env=environ(),
        **options,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with wheels of core and the example, and pytest."""
    directory = tmp_path_factory.mktemp("outside")
    run(sys.executable, "-m", "venv", directory / "venv")
    programs = directory / "venv" / "bin"
    pip = (programs / "python", "-m", "pip", "--quiet", "--disable-pip-version-check")
    wheels = directory / "wheels"
    run(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, ROOT / "kahi-core", EXAMPLE)
    run(*pip, "install", *wheels.iterdir(), "pytest>=8.3")
    return programs


@pytest.fixture
def daemon_there(installed: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon with the example, and a process that can not be started."""
    (tmp_path / "kahi.toml").write_text(
        f"[notify]\ncommand = ['sh', '-c', 'cat >> {tmp_path / 'told'}']\n"
        "[programs.web]\ncommand = '/there/is/none'\nstartretries = 0\n"
    )
    with subprocess.Popen(
        [installed / "kahi", "daemon", "-c", tmp_path / "kahi.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environ(),
    ) as popen:
        yield popen
        popen.kill()


@pytest.mark.slow
def test_its_own_tests_pass_beside_core_alone(installed: Path) -> None:
    assert "kahi_api" not in run(installed / "python", "-m", "pip", "list").replace("-", "_")
    printed = run(installed / "python", "-m", "pytest", "-p", "no:cacheprovider", cwd=EXAMPLE)
    assert "3 passed" in printed


@pytest.mark.slow
def test_it_is_listed(installed: Path) -> None:
    printed = run(installed / "kahi", "plugins")
    assert "notify 1.0 (kahi-plugin-notify): active" in printed
    assert "tables: [notify]" in printed
    assert "hooks: kahi_config_sections, kahi_services" in printed


@pytest.mark.slow
def test_a_real_daemon_delivers_events_to_it(daemon_there: subprocess.Popen[str], tmp_path: Path) -> None:
    told = tmp_path / "told"
    eventually(lambda: told.exists() and told.read_text().endswith("\n"), "it was told")
    assert told.read_text().startswith("web is FATAL: ")
    daemon_there.send_signal(signal.SIGTERM)
    assert daemon_there.wait(PATIENCE) == 0


def test_the_readme_shows_the_plugin_as_it_is() -> None:
    assert f"```python\n{MODULE.read_text(encoding='utf-8')}```" in (EXAMPLE / "README.md").read_text(
        encoding="utf-8"
    )
