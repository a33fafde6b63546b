"""Keys that no other test shows: each has an effect that can be seen. And every key has such a test."""

from __future__ import annotations

import grp
import itertools
import json
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kahi.config.schema import json_schema
from kahi.plugins import PluginManager
from tests.support import Daemon, eventually, install_plugin, python

Start = Callable[..., Daemon]
Run = Callable[..., subprocess.CompletedProcess[str]]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def tables() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and schema of every table, those of plugins too."""
    plugins = PluginManager()
    plugins.discover()
    schema = json_schema(plugins.declare_sections())
    waiting = [(name, table) for name, table in schema["properties"].items() if name != "include"]
    while waiting:
        name, table = waiting.pop()
        inner = table.get("additionalProperties") or table
        for key, value in inner["properties"].items():
            if "$ref" in value:
                waiting.append((f"{name}.{key}", schema["$defs"][value["$ref"].rpartition("/")[2]]))
        yield name, inner["properties"]


def test_every_key_is_used_in_a_test_of_the_real_program() -> None:
    tests = Path(__file__).parent.parent
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in tests.rglob("test_*.py")
        if path.is_relative_to(tests / "e2e") or "daemon(" in path.read_text(encoding="utf-8")
    )
    unused = [
        f"[{name}] {key}"
        for name, keys in tables()
        for key, value in keys.items()
        if "$ref" not in value and not re.search(rf"(?:\b|\\n){key}(?: = |\])", text)
    ]
    assert not unused


def test_the_log_of_the_daemon(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(
        f'[supervisor]\nlogfile = "{log}"\nlogfile_maxbytes = 2000\nlogfile_backups = 2\nlog_level = "debug"\n'
        f"[programs.a]\n{SLEEPER}\n"
    )
    for _ in range(12):
        running.ctl("restart", "a")
    running.terminate()
    files = sorted(path.name for path in short_tmp.glob("log*"))
    assert files == ["log", "log.1", "log.2"]
    for name in files:
        content = (short_tmp / name).read_text()
        assert len(content) <= 2000
        assert all(json.loads(line)["level"] for line in content.splitlines())
    assert running.output == ""


def test_log_format(daemon: Start) -> None:
    running = daemon(
        f'[supervisor]\nlog_format = "text"\n[programs.a]\n{python("print(1)")}\noneshot = true\n'
    )
    running.wait_for("a", "EXITED")
    assert re.search(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info kahi is up", running.says("Z a | 1\n"), re.MULTILINE
    )


def test_identifier(daemon: Start) -> None:
    running = daemon('[supervisor]\nidentifier = "blue"\n')
    with running.client() as client:
        assert client.version().identifier == "blue"
    running.says("blue is up with pid")


def auto_logs(directory: Path) -> set[str]:
    """AUTO logs in a directory."""
    return {path.name for path in directory.glob("*---*")}


def test_auto_logs_come_and_go(daemon: Start, short_tmp: Path) -> None:
    logs = short_tmp / "logs"
    logs.mkdir()
    toml = (
        f'[supervisor]\nchildlogdir = "{logs}"\nidentifier = "blue"\n'
        f'[programs.a]\n{SLEEPER}\nstdout_logfile = "AUTO"\nstderr_logfile = "AUTO"\n'
    )
    first = daemon(toml)
    first.wait_for("a", "RUNNING")
    found = auto_logs(logs)
    assert len(found) == 2
    assert all(stat.S_IMODE((logs / name).stat().st_mode) == 0o600 for name in found)
    assert first.process("a").stdout_logfile.startswith(f"{logs}/a-stdout---blue-")
    first.terminate()
    second = daemon(toml.replace("[supervisor]", "[supervisor]\nnocleanup = true"))
    second.wait_for("a", "RUNNING")
    assert auto_logs(logs) > found
    second.terminate()
    third = daemon(toml)
    third.wait_for("a", "RUNNING")
    assert not auto_logs(logs) & found
    assert len(auto_logs(logs)) == 2


def test_strict(kahi: Run, tmp_path: Path) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text('[programs.a]\ncommand = "x"\nautostrat = true\n')
    done = kahi("check", "-c", str(config))
    assert done.returncode == 0
    assert "warning: " in done.stderr
    assert "did you mean 'autostart'?" in done.stderr
    config.write_text("[supervisor]\nstrict = true\n" + config.read_text())
    assert kahi("check", "-c", str(config)).returncode == 1


def test_disabled_plugins(daemon: Start, short_tmp: Path) -> None:
    noisy = "print('imported', flush=True)\n"
    environ = install_plugin(short_tmp, "noisy", noisy)
    running = daemon("", environ=environ)
    running.says("imported")
    running.terminate()
    running.output_file.unlink()
    second = daemon('[supervisor]\ndisabled_plugins = ["noisy"]\n', environ=environ)
    assert "imported" not in second.output


def test_without_the_api_programs_run_all_the_same(daemon: Start, short_tmp: Path) -> None:
    mark = short_tmp / "mark"
    running = daemon(
        f'[programs.a]\ncommand = "touch {mark}"\noneshot = true\n',
        wait=False,
        environ={"KAHI_DISABLE_PLUGINS": "all"},
    )
    eventually(mark.exists, "the program ran")
    assert not running.socket.exists()
    running.says("[server]: belongs to plugin 'api', which is disabled")
    assert running.terminate() == 0


def test_strip_ansi(daemon: Start, short_tmp: Path) -> None:
    code = 'import sys; sys.stdout.write("\\\\x1b[31mred\\\\x1b[0m \\\\x1b"); sys.stdout.flush(); import time; time.sleep(0.2); print("[1mbold")'
    running = daemon(
        f"[programs.a]\n{python(code.replace(chr(92) * 2, chr(92)))}\noneshot = true\nstrip_ansi = true\n"
    )
    running.wait_for("a", "EXITED")
    assert running.ctl("tail", "a").stdout == "red bold\n"


def test_rotation(daemon: Start, short_tmp: Path) -> None:
    log, errors = short_tmp / "out", short_tmp / "err"
    code = "import sys\nfor n in range(1000):\n    print(n, flush=True)\n    print(n, file=sys.stderr, flush=True)\n"
    running = daemon(
        f"[programs.a]\n{python(code)}\noneshot = true\n"
        f"stdout_logfile = '{log}'\nstdout_logfile_maxbytes = 1000\nstdout_logfile_backups = 20\n"
        f"stderr_logfile = '{errors}'\nstderr_logfile_maxbytes = 1000\nstderr_logfile_backups = 0\n"
    )
    running.wait_for("a", "EXITED")
    parts = [log.with_name(f"out.{number}") for number in range(20, 0, -1)] + [log]
    whole = "".join(part.read_text() for part in parts if part.exists())
    assert whole == "".join(f"{n}\n" for n in range(1000))
    assert all(part.stat().st_size <= 1000 for part in parts if part.exists())
    assert errors.stat().st_size <= 1000
    assert errors.read_text().endswith("999\n")
    assert not errors.with_name("err.1").exists()


def test_the_ring_buffer(daemon: Start) -> None:
    code = "import sys; print('x' * 5000 + 'end'); print('y' * 5000 + 'end', file=sys.stderr)"
    running = daemon(
        f"[programs.a]\n{python(code)}\noneshot = true\nstdout_buffer_maxbytes = 1000\nstderr_buffer_maxbytes = 0\n"
    )
    running.wait_for("a", "EXITED")
    shown = running.ctl("tail", "a", "--bytes", "100000").stdout
    assert len(shown) == 1000
    assert shown.endswith("xend\n")
    assert running.ctl("tail", "a", "stderr").stdout == ""


def test_description(daemon: Start) -> None:
    running = daemon(f'[programs.a]\n{SLEEPER}\nautostart = false\ndescription = "the first of its kind"\n')
    assert running.process("a").description == "the first of its kind"


def test_backoff(daemon: Start, short_tmp: Path) -> None:
    times = short_tmp / "times"
    code = f'import time; open("{times}", "a").write(str(time.time()) + chr(10)); raise SystemExit(1)'
    running = daemon(
        f"[programs.a]\n{python(code)}\nstartretries = 3\nstartsecs = 3600\n"
        "[programs.a.backoff]\ninitial = 1.2\nfactor = 1.5\nmax = 1.5\njitter = 0.1\n"
    )
    running.wait_for("a", "FATAL")
    seen = [float(line) for line in times.read_text().split()]
    first, second, third = (b - a for a, b in itertools.pairwise(seen))
    assert 1.1 < first < 1.2 * 1.1 + 2.5
    assert 1.4 < second < 1.5 * 1.1 + 2.5
    assert 1.4 < third < 1.5 * 1.1 + 2.5


def test_the_mode_of_the_control_socket(daemon: Start, short_tmp: Path) -> None:
    path = short_tmp / "k.sock"
    running = daemon(f'[server.unix]\nfile = "{path}"\nchmod = "0600"\n')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    running.terminate()


@pytest.mark.needs_root
def test_the_owner_of_the_control_socket(daemon: Start, short_tmp: Path) -> None:
    path = short_tmp / "k.sock"
    daemon(f'[server.unix]\nfile = "{path}"\nchown = "nobody:daemon"\n')
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("daemon").gr_gid)


def test_no_socket_at_all(daemon: Start, short_tmp: Path) -> None:
    mark = short_tmp / "mark"
    running = daemon(
        f'[server.unix]\nfile = "none"\n[programs.a]\ncommand = "touch {mark}"\noneshot = true\n', wait=False
    )
    eventually(mark.exists, "the program ran")
    assert not running.socket.exists()
    assert running.terminate() == 0


@pytest.mark.needs_root
def test_user_of_the_configuration(daemon: Start) -> None:
    running = daemon('[supervisor]\nuser = "nobody"\n')
    assert os.stat(f"/proc/{running.pid}").st_uid in (0, pwd.getpwnam("nobody").pw_uid)
    status = Path(f"/proc/{running.pid}/status").read_text()
    assert re.search(rf"^Uid:\s+{pwd.getpwnam('nobody').pw_uid}\b", status, re.MULTILINE)


def test_include_through_the_real_program(kahi: Run, tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "kahi.toml").write_text('include = ["conf.d/*.toml"]\n[programs.a]\ncommand = "x"\n')
    (tmp_path / "conf.d" / "a.toml").write_text('[programs.a]\ncommand = "y"\n[supervisor]\nstrict = true\n')
    done = kahi("check", "-c", str(tmp_path / "kahi.toml"))
    assert done.stderr.splitlines() == [
        f"{tmp_path}/conf.d/a.toml:1: [programs.a]: is there already, in {tmp_path}/kahi.toml:2",
        f"{tmp_path}/conf.d/a.toml:3: [supervisor]: belongs into the main file, not into an included one",
    ]
    (tmp_path / "conf.d" / "a.toml").write_text('include = ["../kahi.toml"]\n')
    assert "files include each other" in kahi("check", "-c", str(tmp_path / "kahi.toml")).stderr


def test_schema_and_resolved_configuration(kahi: Run, tmp_path: Path) -> None:
    schema = json.loads(kahi("check", "--schema").stdout)
    assert schema["properties"]["programs"]["additionalProperties"]["properties"]["startsecs"]["description"]
    config = tmp_path / "kahi.toml"
    config.write_text(
        '[programs.a]\ncommand = "x %(process_num)d"\n[programs.a.environment]\nTOKEN = "canary"\n'
    )
    printed = kahi("check", "-c", str(config), "--print").stdout
    assert "canary" not in printed
    assert json.loads(printed)["groups"][0]["processes"][0]["command"] == ["x", "0"]


def test_every_line_of_the_sample_can_be_used(kahi: Run, tmp_path: Path) -> None:
    """Each table with all of its keys, as somebody gets it who removes the marks in front of them."""
    text = kahi("init").stdout
    assert '# umask = "022"' in text
    assert '# logfile_maxbytes = "50MB"' in text
    assert '# stopsignal = "TERM"' in text
    assert '# socket_mode = "0700"' in text
    tables: list[list[str]] = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        if re.fullmatch(r"\[[a-z_.]+\]", bare):
            tables.append([bare])
        elif tables and re.match(r"[a-z_]+ = ", bare):
            tables[-1].append(bare)
    assert len(tables) > 10
    program = '[programs.example]\ncommand = "sleep 3600"\n'
    for table in (table for table in tables if len(table) > 1):
        name = table[0]
        body = "\n".join(table) + "\n"
        if name != "[programs.example]":
            body = program + body
        if name.endswith(".health]"):
            kinds = ("http", "expect", "tcp", "exec", "notify")
            body = "\n".join(line for line in body.splitlines() if line.split()[0] not in kinds)
            body += '\ntcp = "127.0.0.1:1"\n'
        elif name.startswith(("[fcgi_programs", "[eventlisteners")):
            body += 'command = "sleep 3600"\n'
        config = tmp_path / "kahi.toml"
        config.write_text(body)
        done = kahi("check", "-c", str(config))
        assert done.returncode == 0, f"{body}{done.stderr}"
        assert "is no known key" not in done.stderr, f"{body}{done.stderr}"
