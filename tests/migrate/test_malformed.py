"""What supervisord refuses is refused, with file and line, and nothing is written."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.migrate.migrating import kahi_migrate, write_source
from tests.migrate.test_resolving import by_supervisord

START = "[supervisord]\nnodaemon=true\n[program:web]\ncommand=/bin/cat\n"
"""Four lines that are fine; what is wrong follows them."""


@dataclass(frozen=True, slots=True)
class Case:
    """A mistake.

    Args:
        text: the whole file, or what follows ``START``.
        lines: where it is said to be, and what is said.
    """

    name: str
    text: str
    lines: dict[int, str]
    whole: bool = False
    encoding: str = "utf-8"
    files: dict[str, str] = field(default_factory=dict[str, str])


CASES = [
    Case("no value", "startsecs\n", {5: "'startsecs' has no value"}),
    Case("no key", "= 5\n", {5: "has no key before its value"}),
    Case("header not closed", "[api\n", {5: "'[api' is no section header"}),
    Case("before a section", "logfile=/tmp/x\n[supervisord]\n", {1: "stands before the first section"}, whole=True),
    Case("not UTF-8", "; caf\xe9\n", {5: "is not UTF-8"}, encoding="latin-1"),
    Case("no text", "directory=/\0\n", {5: "holds a character that is no text"}),
    Case("boolean", "autostart=maybe\n", {5: "[program:web] autostart: is neither true nor false"}),
    Case("empty boolean", "redirect_stderr=\n", {5: "redirect_stderr: is neither true nor false"}),
    Case("number", "startsecs=soon\n", {5: "startsecs: is no whole number"}),
    Case("fraction", "stopwaitsecs=1.5\n", {5: "stopwaitsecs: is no whole number"}),
    Case("size", "stdout_logfile_maxbytes=10M\n", {5: "stdout_logfile_maxbytes: is no size"}),
    Case("mode", "umask=9\n", {5: "umask: is no octal mode"}),
    Case("signal", "stopsignal=STOPIT\n", {5: "stopsignal: is no signal (allowed: one name such as TERM"}),
    Case("two signals", "stopsignal=TERM,KILL\n", {5: "stopsignal: is no signal"}),
    Case("exit codes", "exitcodes=0,2,\n", {5: "exitcodes: is no list of exit codes"}),
    Case("large exit code", "exitcodes=256\n", {5: "exitcodes: is no list of exit codes"}),
    Case("autorestart", "autorestart=sometimes\n", {5: "autorestart: is not allowed (allowed: true"}),
    Case("lone percent", "environment=A=\"100%\"\n", {5: "environment: holds a lone"}),
    Case("percent of date", "directory=/x/%Y\n", {5: 'directory: holds a lone "%"'}),
    Case("unknown name", "directory=%(nothing)s\n", {5: "%(nothing)s is not defined here (allowed: group_name"}),
    Case("number where there is none", "priority=%(process_num)d\n", {5: "%(process_num)s is not defined here"}),
    Case("format", "directory=/%(program_name)d\n", {5: "the format does not fit, the value is text"}),
    Case("unfinished name", "directory=/%(here\n", {5: "has an unfinished %(name)s"}),
    Case("percent in a log", "stdout_logfile=/tmp/100%%.log\n", {5: "stdout_logfile: "}),
    Case("environment without value", "environment=A=\n", {5: "environment: is no list of variables"}),
    Case("environment with two signs", 'environment=A="1",B=c=d\n', {5: "it goes wrong after B"}),
    Case("environment without comma", "environment=A=1 B=2\n", {5: "it goes wrong after A"}),
    Case("open quote", "environment=A='1\n", {5: "environment: cannot be read: no closing quotation"}),
    Case("many without number", "numprocs=2\n", {3: "process_name must hold %(process_num)d"}),
    Case("many with a fixed name", "numprocs=2\nprocess_name=x\n", {6: "must hold %(process_num)d"}),
    Case("process name", "process_name=a:b\n", {5: "is no name: there is ':' in it"}),
    Case("stop without kill", "stopasgroup=true\nkillasgroup=false\n", {6: "cannot be false when stopasgroup"}),
    Case("no command", "[program:api]\nautostart=true\n", {5: "[program:api]: has no command"}),
    Case("program name", "[program:a b]\ncommand=x\n", {5: "is no name: there is a blank in it"}),
    Case("unknown member", "[group:all]\nprograms=web,api\n", {6: "there is no program 'api'"}),
    Case("members with a blank", "[group:x]\nprograms=web web\n", {6: "there is no program 'web web'"}),
    Case("comma at the end", "[group:x]\nprograms=web,\n", {6: "there is no program ''"}),
    Case(
        "member of two kinds",
        "[fcgi-program:web]\ncommand=x\nsocket=tcp://a:1\n[group:x]\nprograms=web\n",
        {9: "'web' is a program and an fcgi-program as well"},
    ),
    Case("no events", "[eventlistener:l]\ncommand=x\n", {5: "[eventlistener:l]: has no events"}),
    Case("unknown event", "[eventlistener:l]\ncommand=x\nevents=TICK_6\n", {7: "there is no event 'TICK_6'"}),
    Case("empty buffer", "[eventlistener:l]\ncommand=x\nevents=EVENT\nbuffer_size=0\n", {8: "is too small"}),
    Case(
        "joined listener",
        "[eventlistener:l]\ncommand=x\nevents=EVENT\nredirect_stderr=true\n",
        {8: "would break its protocol"},
    ),
    Case("no socket", "[fcgi-program:f]\ncommand=x\n", {5: "[fcgi-program:f]: has no socket"}),
    Case("relative socket", "[fcgi-program:f]\ncommand=x\nsocket=unix://x\n", {7: "is no absolute path"}),
    Case("no port", "[fcgi-program:f]\ncommand=x\nsocket=tcp://x\n", {7: "is no address"}),
    Case(
        "owner of a port",
        "[fcgi-program:f]\ncommand=x\nsocket=tcp://a:1\nsocket_mode=0700\n",
        {7: "is no Unix socket"},
    ),
    Case("server without port", "[inet_http_server]\n", {5: "[inet_http_server]: has no port"}),
    Case("port", "[inet_http_server]\nport=localhost\n", {6: "port: is no address"}),
    Case("half a login", "[inet_http_server]\nport=1\nusername=x\n", {5: "has one of username and password"}),
    Case("server without file", "[unix_http_server]\nchmod=0700\n", {5: "[unix_http_server]: has no file"}),
    Case("include without files", "[include]\n", {5: "[include]: has no files setting"}),
    Case("level", "[supervisord]\nloglevel=warning\n", {2: "is no level (allowed: critical, error"}, whole=True),
    Case("interface", "[rpcinterface:x]\nretries=1\n", {5: "has no supervisor.rpcinterface_factory"}),
    Case("several at once", "startsecs=x\numask=9\n", {5: "is no whole number", 6: "is no octal mode"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_mistakes_are_refused(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "supervisord.conf"
    path.write_bytes((("" if case.whole else START) + case.text).encode(case.encoding))
    output = tmp_path / "kahi.toml"
    assert kahi_migrate(str(path), "-o", str(output), "--from", "supervisord") == 1
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert len(lines) == len(case.lines), printed.err
    for line, (number, message) in zip(lines, case.lines.items(), strict=True):
        assert line.startswith(f"{path}:{number}: ")
        assert message in line
    assert not printed.out
    assert sorted(tmp_path.iterdir()) == [path]


# supervisord takes a NUL, and fails when it runs the program.
REFUSED = [case for case in CASES if case.name != "no text"]


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_supervisord_refuses_them_too(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "supervisord.conf"
    path.write_bytes((("" if case.whole else START) + case.text).encode(case.encoding))
    assert by_supervisord(path) is None


def test_mistakes_in_included_files_name_those(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_source(
        tmp_path,
        """
        [supervisord]
        startsecs = 1
        [include]
        files = *.ini
        """,
        a_ini="[program:a]\ncommand = x\nstartsecs = y\n",
        b_ini="[program:b]\nnonsense\n",
    )
    assert kahi_migrate(str(path)) == 1
    assert f"{tmp_path}/b.ini:2: 'nonsense' has no value" in capsys.readouterr().err
    (tmp_path / "b.ini").unlink()
    assert kahi_migrate(str(path)) == 1
    assert f"{tmp_path}/a.ini:3: [program:a] startsecs: is no whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.conf", "No such file or directory"),
        (".", "is not a regular file"),
        ("pipe", "is not a regular file"),
    ],
)
def test_what_is_no_file_is_refused(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    assert kahi_migrate(str(tmp_path / name), "--from", "supervisord") == 1
    assert message in capsys.readouterr().err


def test_a_value_is_never_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """
    [supervisord]
    [inet_http_server]
    port = 9001
    username = admin
    password = secret%word
    [program:web]
    command = /bin/cat
    environment = TOKEN="secret",OTHER=a=secret
    """
    path = write_source(tmp_path, textwrap.dedent(text))
    assert kahi_migrate(str(path)) == 1
    printed = capsys.readouterr()
    assert "password: holds a lone" in printed.err
    assert "secret" not in printed.err + printed.out
