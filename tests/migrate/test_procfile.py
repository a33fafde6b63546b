"""Procfiles, with the .env beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kahi_migrate.migration import migrate
from tests.migrate.migrating import ENVIRON, Result, all_plugins, kahi_migrate


def moved(directory: Path, text: str, env: str | None = None, output: str = "") -> Result:
    """Migrate a Procfile."""
    path = directory / "Procfile"
    path.write_text(text)
    if env is not None:
        (directory / ".env").write_text(env)
    return Result(migrate(str(path), all_plugins(), ENVIRON, output=output))


def test_processes_become_programs(tmp_path: Path) -> None:
    found = moved(
        tmp_path,
        "# The web\nweb: bundle exec puma -p $PORT\n\nworker: bundle exec sidekiq -q 'a b'\n# the end\n",
        "export SECRET='x y'\nPORT=3000\n",
    )
    assert found.text == (
        """\
# The web
[programs.web]
command = ["sh", "-c", "exec bundle exec puma -p $PORT"]
directory = "%(here)s"
environment_file = ["%(here)s/.env"]
environment = { PORT = "3000" }

[programs.worker]
command = "bundle exec sidekiq -q 'a b'"
directory = "%(here)s"
environment_file = ["%(here)s/.env"]
environment = { PORT = "3100" }

# the end
"""
    )
    assert "started again" in found.notes[0]
    assert not found.warnings


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("printf '%s|' a \"b c\" d%s", "a|b c|d%s|"),
        ("printf '%s|' $PORT ${PORT}0", "5000|50000|"),
        ("printf a && printf b; printf c", "abc"),
        ("X=1 sh -c 'printf $X'", "1"),
        ("printf %s ~", "/home/me"),
        ("printf %%d '%(here)s' $$ > /dev/null", ""),
        ('printf %s "{1}" \\\\', "{1}\\"),
    ],
)
def test_commands_do_what_a_shell_would_do(command: str, printed: str, tmp_path: Path) -> None:
    found = moved(tmp_path, f"web: {command}\n")
    (process,) = found.migration.config.groups["web"].processes
    environ = {**ENVIRON, **dict(process.spawn.environment)}
    done = subprocess.run(process.spawn.command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == printed


def test_release_runs_once(tmp_path: Path) -> None:
    found = moved(tmp_path, "release: migrate\nweb: x\n")
    assert found.program("release")["oneshot"] is True
    assert 'depends_on = { release = "exited" }' in found.notes[1] + found.notes[0]
    assert "environment_file" not in found.program()


def test_the_result_may_be_elsewhere(tmp_path: Path) -> None:
    found = moved(tmp_path, "web: x\n", "A=1\n", output=str(tmp_path / "etc" / "kahi.toml"))
    assert found.program()["directory"] == str(tmp_path)
    assert found.program()["environment_file"] == [f"{tmp_path}/.env"]


def test_a_broken_env_file_is_said(tmp_path: Path) -> None:
    found = moved(tmp_path, "web: x\n", "A=1\nnonsense\n")
    assert "environment_file" not in found.program()
    assert found.warnings == [".env: left out: line 2 is no assignment"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web: x\nnonsense\n", "Procfile:2: 'nonsense' is no process"),
        ("web:\n", "Procfile:1: 'web:' is no process"),
        ("web: x\nweb: y\n", "Procfile:2: web: is there already"),
    ],
)
def test_mistakes(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Procfile").write_text(text)
    output = tmp_path / "kahi.toml"
    assert kahi_migrate(str(tmp_path / "Procfile"), "-o", str(output)) == 1
    assert message in capsys.readouterr().err
    assert not output.exists()
