"""The commands `kahi migrate` and `kahi-migrate`, through the real program where it matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migrate.migrating import kahi_migrate, write_source
from tests.support import install_plugin

SOURCE = "[supervisord]\nnodaemon = true\n[program:web]\ncommand = sleep 1000\nstdout_logfile = NONE\nstderr_logfile = NONE\n"
RESULT = """\
[supervisor]
log_format = "text"
umask = ""

[programs.web]
command = "sleep 1000"
stdout_logfile = "/dev/null"
stderr_logfile = "/dev/null"
"""
WARNED = SOURCE + "colour = blue\n"
Kahi = Callable[..., "subprocess.CompletedProcess[str]"]


def test_it_prints_or_writes_what_then_runs(kahi: Kahi, tmp_path: Path) -> None:
    path = write_source(tmp_path, SOURCE)
    assert kahi("migrate", str(path)).stdout == RESULT
    path.chmod(0o640)
    output = tmp_path / "kahi.toml"
    done = kahi("migrate", str(path), "-o", str(output))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote {output}\n", "")
    assert output.read_text() == RESULT
    assert output.stat().st_mode & 0o777 == 0o640
    assert "fine, 1 process" in kahi("check", "-c", str(output)).stdout


def test_it_stands_alone(tmp_path: Path) -> None:
    path = write_source(tmp_path, SOURCE)
    program = Path(sys.executable).parent / "kahi-migrate"
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, RESULT)
    done = subprocess.run([program, tmp_path / "none"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/none: cannot be read: No such file or directory\n"


def test_without_the_plugin_the_pip_line_is_told(kahi: Kahi) -> None:
    hidden = "import kahi.entrypoints, sys; kahi.entrypoints._distributions = lambda directory: []; "
    for name in ("migrate", "export"):
        code = hidden + f"sys.argv = ['kahi', '{name}', 'x', '--force']; import kahi.cli; kahi.cli.main()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr == (
            f"kahi: {name} needs a plugin that is not installed: pip install 'kahi[migrate]'\n"
        )


def test_it_is_listed_with_what_it_adds(kahi: Kahi) -> None:
    line = next(line for line in kahi("plugins").stdout.splitlines() if line.startswith("migrate"))
    assert "kahi-migrate" in line
    assert "active" in line


def test_an_existing_file_is_replaced_by_force_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_source(tmp_path, SOURCE)
    output = tmp_path / "kahi.toml"
    output.write_text("mine")
    output.chmod(0o600)
    assert kahi_migrate(str(path), "-o", str(output)) == 1
    assert capsys.readouterr().err == f"kahi: {output} is there already (--force replaces it)\n"
    assert output.read_text() == "mine"
    assert kahi_migrate(str(path), "-o", str(output), "--force") == 0
    assert output.read_text() == RESULT
    assert output.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kahi.toml", "supervisord.conf"]


def test_a_link_is_followed_and_never_dangling(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(tmp_path, SOURCE)
    (tmp_path / "etc").mkdir()
    output = tmp_path / "kahi.toml"
    output.symlink_to("etc/real.toml")
    assert kahi_migrate(str(path), "-o", str(output)) == 1
    assert kahi_migrate(str(path), "-o", str(output), "--force") == 0
    assert (tmp_path / "etc" / "real.toml").read_text() == RESULT
    assert output.is_symlink()


def test_what_can_not_be_written_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(tmp_path, SOURCE)
    assert kahi_migrate(str(path), "-o", str(tmp_path / "none" / "kahi.toml")) == 1
    assert "cannot write" in capsys.readouterr().err
    assert kahi_migrate(str(path), "-o", str(tmp_path)) == 1
    assert kahi_migrate(str(path), "-o", str(tmp_path), "--force") == 1
    assert "Is a directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_keeps_the_old_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, os.strerror(28))

    path = write_source(tmp_path, SOURCE)
    output = tmp_path / "kahi.toml"
    monkeypatch.setattr(os, "fsync", full)
    assert kahi_migrate(str(path), "-o", str(output)) == 1
    assert capsys.readouterr().err == f"kahi: cannot write {output}: No space left on device\n"
    assert list(tmp_path.iterdir()) == [path]
    output.write_text("mine")
    assert kahi_migrate(str(path), "-o", str(output), "--force") == 1
    assert output.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(tmp_path, SOURCE)
    output = tmp_path / "kahi.toml"
    assert kahi_migrate(str(path), "-o", str(output), "--dry-run") == 0
    assert capsys.readouterr().out == RESULT
    assert not output.exists()
    output.write_text("mine")
    assert kahi_migrate(str(path), "-o", str(output), "--dry-run", "--force") == 0
    assert output.read_text() == "mine"


def test_warnings_fail_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(tmp_path, WARNED)
    output = tmp_path / "kahi.toml"
    warning = f"warning: {path}:7: [program:web] colour: left out: supervisord does not know it either\n"
    assert kahi_migrate(str(path)) == 0
    assert capsys.readouterr().err == warning
    assert kahi_migrate(str(path), "-o", str(output), "--strict") == 1
    printed = capsys.readouterr()
    assert printed.err == warning + "kahi: --strict: 1 warning, nothing was written\n"
    assert not printed.out
    assert not output.exists()
    write_source(tmp_path, SOURCE)
    assert kahi_migrate(str(path), "-o", str(output), "--strict") == 0


def test_notes_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(tmp_path, SOURCE.replace("nodaemon = true", "nodaemon = false"))
    assert kahi_migrate(str(path), "--strict") == 0
    assert capsys.readouterr().err.startswith(
        f"note: {path}:1: [supervisord]: supervisord goes into the background"
    )


# Formats


def test_formats_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "something"
    path.write_text("[program:web]\ncommand = x\n")
    assert kahi_migrate(str(path)) == 0
    assert "[programs.web]" in capsys.readouterr().out
    path.write_text("web: x --flag\n")
    assert kahi_migrate(str(path)) == 0
    assert 'command = "x --flag"' in capsys.readouterr().out
    path.write_text("hello\n")
    assert kahi_migrate(str(path)) == 1
    assert capsys.readouterr().err == (
        f"kahi: {path} is of no known format; say --from with one of: procfile, supervisord\n"
    )
    assert kahi_migrate(str(path), "--from", "cron") == 1
    assert capsys.readouterr().err == "kahi: there is no format 'cron' (allowed: procfile, supervisord)\n"


PLUGIN = """
from kahi.errors import ConfigError, Problem
from kahi.hookspecs import hookimpl
from kahi_migrate.draft import Draft, Expected, Place
from kahi_migrate.source import SourceFormat
from kahi_migrate.target import Output, TargetFormat

def recognise(path, text):
    return text.startswith("!crontab")

def read(request):
    draft = Draft(request.path, files=[request.path], expected=[])
    with open(request.path) as file:
        for number, line in enumerate(file.read().splitlines()[1:], 2):
            name, _, command = line.partition(" ")
            place = Place(request.path, number, name)
            if not command:
                raise ConfigError([place.problem("runs nothing")])
            table = draft.table("programs", name, place=place)
            table.before.append(__import__("kahi_migrate.draft").draft.Remark("from a table"))
            table.set("command", command)
            table.set("startsecs", 1)
            table.set("priority", 5000)
            table.set("colour", "blue")
            draft.expected.append(Expected(name, name, name, 0, tuple(command.split())))
            draft.warn(place, "does not run by the clock")
    return draft

@hookimpl
def kahi_migrate_formats():
    return [SourceFormat("crontab", "a table", recognise, read)]

def write(workloads):
    for workload in workloads:
        workloads.warn(workload, "command", "is only listed")
    return [Output("list.txt", "".join(f"{w.name} x{w.replicas}\\n" for w in workloads))]

@hookimpl
def kahi_export_formats():
    return [TargetFormat("list", "a list", write)]
"""


def test_a_third_party_brings_a_format(kahi: Kahi, tmp_path: Path) -> None:
    environ = install_plugin(tmp_path, "crontab", PLUGIN)
    path = tmp_path / "table"
    path.write_text("!crontab\nweb run it\n")
    done = kahi("migrate", str(path), environ=environ)
    assert done.stdout == (
        "# from a table\n[programs.web]\n"
        'command = "run it"\n'
        "# unsupported: priority = 5000 (is too large (at most 999))\n"
        '# unsupported: colour = "blue" (is no known key)\n'
    )
    assert done.stderr.splitlines() == [
        f"warning: {path}:2: web: does not run by the clock",
        f"warning: {path}:2: web: left out: is too large (at most 999)",
        f"warning: {path}:2: web: left out: is no known key",
    ]
    assert "1 process, 1 of them different" in kahi("migrate", "--check", str(path), environ=environ).stdout
    path.write_text("!crontab\nweb\n")
    done = kahi("migrate", str(path), "--from", "crontab", environ=environ)
    assert (done.returncode, done.stderr) == (1, f"{path}:2: web: runs nothing\n")


def test_a_third_party_brings_a_target(kahi: Kahi, tmp_path: Path) -> None:
    environ = install_plugin(tmp_path, "crontab", PLUGIN)
    config = tmp_path / "kahi.toml"
    config.write_text('[programs.web]\ncommand = "x"\nnumprocs = 3\n')
    done = kahi("export", "list", "-c", str(config), environ=environ)
    assert done.stdout.strip() == "web x3"
    assert done.stderr == f"warning: {config}:2: [programs.web] command: is only listed\n"


def test_two_formats_of_one_name_are_refused(kahi: Kahi, tmp_path: Path) -> None:
    environ = install_plugin(tmp_path, "other", PLUGIN.replace('"crontab", "a table"', '"procfile", "mine"'))
    path = tmp_path / "Procfile"
    path.write_text("web: x\n")
    done = kahi("migrate", str(path), environ=environ)
    assert done.returncode == 1
    assert done.stderr == "kahi: plugins migrate and other both give a format 'procfile'\n"


def test_a_format_that_is_none_is_refused(kahi: Kahi, tmp_path: Path) -> None:
    code = "from kahi.hookspecs import hookimpl\n\n@hookimpl\ndef kahi_migrate_formats():\n    return ['x']\n"
    path = write_source(tmp_path, SOURCE)
    done = kahi("migrate", str(path), environ=install_plugin(tmp_path, "wrong", code))
    assert done.returncode == 1
    assert done.stderr == "kahi: plugin wrong: kahi_migrate_formats gives 'x', which is no SourceFormat\n"
