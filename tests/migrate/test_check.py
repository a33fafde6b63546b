"""`kahi migrate --check`: what runs before and after, process by process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.migrating import kahi_migrate, write_source

SAME = """
    [supervisord]
    nodaemon = true
    environment = LANG="C.UTF-8"

    [program:web]
    command = gunicorn "an app" --port 80%(process_num)02d
    process_name = web-%(process_num)d
    numprocs = 2
    directory = /srv
    user = www-data
    umask = 027
    priority = 5
    environment = TOKEN="secret"
    stdout_logfile = /var/log/web-%(process_num)d.log
    redirect_stderr = true

    [program:quiet]
    command = quiet
    stdout_logfile = NONE
"""


def test_all_is_shown_when_nothing_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kahi_migrate(str(write_source(tmp_path, SAME)), "--check") == 0
    assert capsys.readouterr().out == (
        """\
web-0
  argv         gunicorn 'an app' --port 8000
  environment  LANG TOKEN
  directory    /srv
  user         www-data
  umask        027
  stdout       /var/log/web-0.log
  stderr       joined to stdout
  priority     5
web-1
  argv         gunicorn 'an app' --port 8001
  environment  LANG TOKEN
  directory    /srv
  user         www-data
  umask        027
  stdout       /var/log/web-1.log
  stderr       joined to stdout
  priority     5
quiet
  argv         quiet
  environment  LANG
  directory    that of the daemon
  user         that of the daemon
  umask        that of the daemon
  stdout       nowhere
  stderr       a temporary file
  priority     999
3 processes, none of them different
"""
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "supervisord.conf"]


def test_what_differs_is_shown_from_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SAME + "\n    [program:late]\n    command = late\n    priority = 2000\n"
    assert kahi_migrate(str(write_source(tmp_path, text)), "--check") == 1
    printed = capsys.readouterr()
    assert "late\n  argv         late\n" in printed.out
    assert "  priority     - supervisord: 2000\n               + kahi: 999\n" in printed.out
    assert printed.out.endswith("4 processes, 1 of them different\n")
    assert "2000 is out of range in Kahi" in printed.err


def test_a_result_that_was_edited_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(tmp_path, SAME)
    output = tmp_path / "kahi.toml"
    assert kahi_migrate(str(path), "-o", str(output)) == 0
    assert kahi_migrate(str(path), "-o", str(output), "--check") == 0
    text = (
        output.read_text()
        .replace("027", "022")
        .replace('TOKEN = "secret"', 'TOKEN = "elsewhere", MORE = "1"')
    )
    text = text.replace('user = "www-data"', 'user = "daemon"').replace("numprocs = 2", "numprocs = 1")
    text = text.replace("inherit_environment = true\n", "") + '\n[programs.new]\ncommand = "new"\n'
    output.write_text(text)
    capsys.readouterr()
    assert kahi_migrate(str(path), "-o", str(output), "--check") == 1
    printed = capsys.readouterr().out
    assert "  user         - supervisord: www-data\n               + kahi: daemon\n" in printed
    assert "               + kahi: 022\n" in printed
    changed = "LANG MORE TOKEN (another value), and nothing of the daemon's"
    assert f"  environment  - supervisord: LANG TOKEN\n               + kahi: {changed}\n" in printed
    assert "web-1 is not there any more\n" in printed
    assert "new is new\n" in printed
    assert printed.endswith("4 processes, 3 of them different\n")
    assert "secret" not in printed
    assert "elsewhere" not in printed
    assert output.read_text() == text


def test_names_and_groups_that_change_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "[supervisord]\n[program:p]\ncommand = x\n[group:a b]\nprograms = p\n".replace("a b", "a*b")
    assert kahi_migrate(str(write_source(tmp_path, text)), "--check") == 1
    assert "  group        - supervisord: a*b\n               + kahi: a-b\n" in capsys.readouterr().out


def test_variables_that_are_referred_to_have_to_be_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_source(tmp_path, "[supervisord]\n[program:p]\ncommand = x %(ENV_SHOP_B)s %(ENV_SHOP_A)s\n")
    assert kahi_migrate(str(path), "--check") == 1
    assert (
        "kahi: --check needs the variables that are referred to; set SHOP_A, SHOP_B\n"
        in capsys.readouterr().err
    )
    monkeypatch.setenv("SHOP_A", "a")
    monkeypatch.setenv("SHOP_B", "b")
    assert kahi_migrate(str(path), "--check") == 0
    assert "argv         x b a\n" in capsys.readouterr().out


def test_a_format_that_runs_nothing_can_not_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Procfile"
    path.write_text("web: x\n")
    assert kahi_migrate(str(path), "--check") == 1
    assert "kahi: --check: procfile does not say what it would run\n" in capsys.readouterr().err
