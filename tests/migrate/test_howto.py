"""What docs/how-to/replace-supervisord.md shows is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_migrate.hookspecs import kahi_export_formats, kahi_migrate_formats
from tests.support import ROOT, install_plugin

TEXT = (ROOT / "docs" / "how-to" / "replace-supervisord.md").read_text(encoding="utf-8")
Kahi = Callable[..., "subprocess.CompletedProcess[str]"]


def blocks(language: str) -> list[str]:
    """The code of a language, block by block."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_happens_as_shown(kahi: Kahi, tmp_path: Path) -> None:
    (tmp_path / "supervisord.conf").write_text(blocks("ini")[0])
    (result,) = blocks("toml")
    for console in blocks("console"):
        for step in re.findall(r"^\$ .*\n(?:[^$].*\n)*", console, re.MULTILINE):
            command, _, shown = step.partition("\n")
            program, *arguments = shlex.split(command.removeprefix("$ "))
            assert program == "kahi"
            done = kahi(*arguments, cwd=tmp_path)
            warnings = done.stderr.replace(f"{tmp_path}/", "")
            printed = done.stdout.replace(f"{tmp_path}/", "")
            if "--dry-run" in arguments:
                assert warnings == shown
                assert printed == result
            else:
                assert printed == shown
            assert done.returncode == ("different" in shown)
    assert (tmp_path / "kahi.toml").read_text() == result


def test_the_plugin_works(kahi: Kahi, tmp_path: Path) -> None:
    (code,) = blocks("python")
    source = tmp_path / "list"
    source.write_text("#!programs\nweb serve --now\n")
    done = kahi("migrate", str(source), environ=install_plugin(tmp_path, "programs", code))
    assert done.stdout == '[programs.web]\ncommand = "serve --now"\n'


@pytest.mark.parametrize("hook", [kahi_migrate_formats, kahi_export_formats])
def test_the_hooks_are_documented(hook: Callable[..., object]) -> None:
    assert hook.__name__ in TEXT
    assert "Since: 0.1" in (hook.__doc__ or "")


def test_the_formats_are_named() -> None:
    assert "kahi export kubernetes|nomad|compose|systemd" in TEXT
