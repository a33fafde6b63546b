"""Loading a configuration: what it means, and what is said when it is wrong."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi.config.config import Config
from kahi.config.difference import diff
from kahi.config.loading import load
from kahi.config.sample import sample
from kahi.definition import ResourceLimit
from kahi.errors import ConfigError

Load = Callable[[str], Config]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def of(text: str) -> Config:
        path = tmp_path / "kahi.toml"
        path.write_text(text)
        return load(str(path), environ={"SECRET": "hunter2"})

    return of


@pytest.fixture
def problems(loaded: Load, tmp_path: Path) -> Callable[[str], list[str]]:
    def of(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return of


def test_defaults(loaded: Load) -> None:
    process = loaded('[programs.web]\ncommand = "sleep 1"').process("web")
    assert process is not None
    assert process.spawn.command == ("sleep", "1")
    assert (process.group, process.priority, process.autostart) == ("web", 999, True)
    assert (process.start.startsecs, process.start.startretries) == (1.0, 3)
    assert (process.stop.signal, process.stop.wait) == (signal.SIGTERM, 10.0)
    assert process.stdout.maxbytes == 50 * 1024**2


def test_zero_is_a_value(loaded: Load) -> None:
    process = loaded(
        '[programs.web]\ncommand = "x"\npriority = 0\nstartsecs = 0\nstartretries = 0\nstdout_logfile_backups = 0\n'
    ).process("web")
    assert process is not None
    assert (process.priority, process.start.startsecs, process.start.startretries) == (0, 0, 0)
    assert process.stdout.backups == 0


def test_numprocs_and_groups(loaded: Load) -> None:
    config = loaded(
        """
        [programs.worker]
        command = "w %(process_num)d of %(numprocs)d"
        numprocs = 2
        numprocs_start = 5
        [programs.web]
        command = ["web", "with space"]
        [groups.site]
        programs = ["web", "worker"]
        priority = 5
        """
    )
    (group,) = config.groups.values()
    assert (group.name, group.priority) == ("site", 5)
    assert [process.name for process in group.processes] == ["web", "worker_5", "worker_6"]
    assert group.processes[2].spawn.command == ("w", "6", "of", "2")
    assert group.processes[0].spawn.command == ("web", "with space")


def test_values_in_their_many_forms(loaded: Load) -> None:
    process = loaded(
        """
        [programs.web]
        command = "x"
        stopsignal = "usr1"
        umask = 0o027
        autorestart = "true"
        exitcodes = [0, 2]
        stdout_logfile_maxbytes = "64KB"
        stopasgroup = true
        [programs.web.rlimits]
        nofile = "100:unlimited"
        core = 0
        """
    ).process("web")
    assert process is not None
    assert process.stop.signal == signal.SIGUSR1
    assert process.stop.kill_as_group
    assert process.spawn.umask == 0o027
    assert process.start.autorestart == "always"
    assert process.start.exitcodes == {0, 2}
    assert process.stdout.maxbytes == 65536
    assert process.spawn.rlimits == (ResourceLimit("core", 0, 0), ResourceLimit("nofile", 100, -1))


def test_environment_ranks(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=file\nB=file\n")
    process = loaded(
        """
        [supervisor.environment]
        A = "all"
        B = "all"
        D = "all"
        [programs.web]
        command = "x"
        environment_file = ["env", "-missing"]
        [programs.web.environment]
        A = "own"
        C = 3
        """
    ).process("web")
    assert process is not None
    assert dict(process.spawn.environment) == {"A": "own", "B": "file", "C": "3", "D": "all"}


def test_include(loaded: Load, tmp_path: Path) -> None:
    directory = tmp_path / "conf.d"
    directory.mkdir()
    (directory / "b.toml").write_text('[programs.b]\ncommand = "%(here)s/b"')
    (directory / "a.toml").write_text('[programs.a]\ncommand = "a"')
    config = loaded('include = ["conf.d/*.toml", "none/*.toml"]')
    assert list(config.groups) == ["a", "b"]
    found = config.process("b")
    assert found is not None
    assert found.spawn.command == (f"{directory}/b",)
    assert [warning.message for warning in config.warnings] == ["'none/*.toml' matches no file"]


MISTAKES = [
    ("[programs.web", ["kahi.toml:1: is not TOML: Expected ']' at the end of a table declaration"]),
    ("[programs.web]\n", ["kahi.toml:1: [programs.web] command: is missing"]),
    ('[programs.web]\ncommand = ""', ["kahi.toml:2: [programs.web] command: is empty"]),
    (
        "[programs.web]\ncommand = 'a \"b'",
        ["kahi.toml:2: [programs.web] command: cannot be split into words: No closing quotation"],
    ),
    (
        '[programs.web]\ncommand = "x"\npriority = 1000',
        ["kahi.toml:3: [programs.web] priority: is too large (at most 999)"],
    ),
    (
        '[programs.web]\ncommand = "x"\nstartsecs = -1',
        ["kahi.toml:3: [programs.web] startsecs: is too small (at least 0)"],
    ),
    (
        '[programs.web]\ncommand = "x"\nstopsignal = "NOPE"',
        [
            'kahi.toml:3: [programs.web] stopsignal: is no signal (allowed: a name such as "TERM", or a number)'
        ],
    ),
    (
        '[programs.web]\ncommand = "x"\numask = "999"',
        ['kahi.toml:3: [programs.web] umask: is no octal mode (allowed: "022" or 0o022)'],
    ),
    (
        '[programs.web]\ncommand = "x"\nstdout_logfile_maxbytes = "5 potatoes"',
        [
            "kahi.toml:3: [programs.web] stdout_logfile_maxbytes: is no size "
            '(allowed: bytes as a number, or "64KB", "50MB", "1GB")'
        ],
    ),
    (
        '[programs.web]\ncommand = "x"\nstopasgroup = true\nkillasgroup = false',
        ["kahi.toml:4: [programs.web] killasgroup: cannot be false when stopasgroup is true: it is implied"],
    ),
    (
        '[programs.web]\ncommand = "x"\nnumprocs = 2\nprocess_name = "w"',
        ["kahi.toml:4: [programs.web] process_name: must hold %(process_num)d when numprocs is above 1"],
    ),
    (
        '[programs.all]\ncommand = "x"',
        ['kahi.toml:1: [programs.all]: "all" is not allowed as a name: it stands for every process'],
    ),
    (
        '[programs.a]\ncommand = "x"\ndepends_on = {b = "running"}\n'
        '[programs.b]\ncommand = "x"\ndepends_on = {a = "running"}',
        ["kahi.toml:3: [programs.a] depends_on: is a circle: a -> b -> a"],
    ),
    (
        '[programs.web]\ncommand = "x"\ndepends_on = {wep = "running"}',
        [
            "kahi.toml:3: [programs.web] depends_on: there is no program or process 'wep' (did you mean 'web'?)"
        ],
    ),
    (
        '[programs.web]\ncommand = "x"\n[groups.g]\nprograms = ["wbe"]',
        ["kahi.toml:4: [groups.g] programs: there is no program 'wbe' (did you mean 'web'?)"],
    ),
    (
        '[programs.a]\ncommand = "x"\nstdout_logfile = "/tmp/l"\n'
        '[programs.b]\ncommand = "x"\nstdout_logfile = "/tmp/l"',
        [
            "kahi.toml:6: [programs.b] stdout_logfile: /tmp/l is the log of process 'a' already; "
            "each stream needs a file of its own"
        ],
    ),
    (
        '[supervisor]\nstrict = true\n[programs.web]\ncommand = "x"\nautostrt = true',
        ["kahi.toml:5: [programs.web] autostrt: is no known key (did you mean 'autostart'?)"],
    ),
    (
        '[programs.web]\ncommand = "${NOPE}"',
        [
            "kahi.toml:2: [programs.web] command: ${NOPE} is not set "
            "(write ${NOPE:-default} to give a default)"
        ],
    ),
    (
        '[programs.web]\ncommand = "x"\n[programs.web.rlimits]\nfiles = 7',
        ["kahi.toml:3: [programs.web] rlimits: there is no limit 'files'"],
    ),
    ("a = 1\na = 2", ["kahi.toml:2: is not TOML: Cannot overwrite a value"]),
    ("programs = 3", ["kahi.toml:1: [programs]: is no table"]),
    ("[programs]\nweb = 3", ["kahi.toml:2: [programs.web]: is no table"]),
    ("include = 3", ['kahi.toml:1: include: is no list of patterns (write ["conf.d/*.toml"])']),
    (
        '[programs."a b"]\ncommand = "x"',
        ["kahi.toml:1: [programs.a b]: is no name (allowed: up to 128 printable characters"],
    ),
    (
        '[programs.web]\ncommand = "x"\nautostart = "yes"',
        ["kahi.toml:3: [programs.web] autostart: is neither true nor false"],
    ),
    (
        '[programs.web]\ncommand = "x"\nnumprocs = 2.5',
        ["kahi.toml:3: [programs.web] numprocs: is no whole number"],
    ),
    (
        '[programs.web]\ncommand = "x"\nnumprocs = 10001',
        ["kahi.toml:3: [programs.web] numprocs: is too large (at most 10000)"],
    ),
    (
        '[programs.web]\ncommand = "x"\nexitcodes = [0, 300]',
        ["kahi.toml:3: [programs.web] exitcodes: is too large (at most 255)"],
    ),
    (
        '[programs.web]\ncommand = "x"\nstartsecs = nan',
        ["kahi.toml:3: [programs.web] startsecs: is no finite number"],
    ),
    (
        '[programs.web]\ncommand = "x"\nbackoff = { initial = 0, factor = inf }',
        ["kahi.toml:3: [programs.web] backoff.factor: is no finite number"],
    ),
    (
        '[programs.web]\ncommand = "x"\n[programs.web.rlimits]\nnofile = "2:1"',
        ["kahi.toml:4: [programs.web] rlimits.nofile: the soft limit is above the hard limit"],
    ),
    (
        '[programs.web]\ncommand = "x"\ndepends_on = {web = "up"}',
        [
            "kahi.toml:3: [programs.web] depends_on.web: is not allowed (allowed: 'running', 'healthy' or 'exited')"
        ],
    ),
    (
        '[programs.a]\ncommand = "x"\nprocess_name = "b"\n[programs.b]\ncommand = "x"',
        ["kahi.toml:4: [programs.b]: its process 'b' is called like one of program 'a'"],
    ),
    (
        '[programs.a]\ncommand = "x"\n[groups.g]\nprograms = ["a"]\n[groups.h]\nprograms = ["a"]',
        ["kahi.toml:6: [groups.h] programs: 'a' is in group 'g' already"],
    ),
    (
        '[programs.a]\ncommand = "x"\n[fcgi_programs.a]\ncommand = "x"\nsocket = "unix:///x"',
        ["kahi.toml:3: [fcgi_programs.a]: there is [programs.a] as well"],
    ),
    (
        '[fcgi_programs.a]\ncommand = "x"\nsocket = "udp://x"',
        ["kahi.toml:3: [fcgi_programs.a] socket: is no address (allowed:"],
    ),
    ('[fcgi_programs.a]\ncommand = "x"', ["kahi.toml:1: [fcgi_programs.a] socket: is missing"]),
    (
        "[supervisor]\nlog_level = 'loud'",
        ["kahi.toml:2: [supervisor] log_level: is not allowed (allowed: 'debug', 'info', 'warn' or 'error')"],
    ),
    (
        '[programs.web]\ncommand = "x"\nenvironment_file = ["none"]',
        ["kahi.toml:3: [programs.web] environment_file: none: cannot be read: No such file or directory"],
    ),
    (
        '[programs.web]\ncommand = "x"\n[programs.web.environment]\nA = [1]',
        ["kahi.toml:4: [programs.web] environment.A: is no text"],
    ),
    ('include = ["kahi.toml"]', ["kahi.toml: include: files include each other: kahi.toml -> kahi.toml"]),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[str(n) for n in range(len(MISTAKES))])
def test_mistakes(problems: Callable[[str], list[str]], text: str, expected: list[str]) -> None:
    found = problems(text)
    assert len(found) == len(expected)
    for message, beginning in zip(found, expected, strict=True):
        assert message.startswith(beginning)


def test_unknown_keys_warn(loaded: Load) -> None:
    config = loaded('[programs.web]\ncommand = "x"\nautostrt = true\n[webui]\nenabled = true')
    assert [warning.message for warning in config.warnings] == [
        "is no known key (did you mean 'autostart'?)",
        "needs a plugin that is not installed: pip install 'kahi[webui]'",
    ]


def test_secrets_are_not_in_errors(problems: Callable[[str], list[str]]) -> None:
    found = problems('[programs.web]\ncommand = "x"\nstartsecs = "${SECRET}"\nstopsignal = "${SECRET}"')
    assert len(found) == 2
    assert "hunter2" not in "".join(found)


def test_the_sample_loads_and_names_every_key(loaded: Load) -> None:
    text = sample()
    assert loaded(text).process("example") is not None
    for key in ("stdout_logfile_backups", "shutdown_timeout", "rlimits", "backoff", "programs"):
        assert key in text


def test_the_difference_of_two_configurations(loaded: Load) -> None:
    base = '[programs.{0}]\ncommand = "x"\n{1}\n'
    old = loaded(
        base.format("same", "") + base.format("gone", "") + base.format("a", "") + base.format("b", "")
    )
    new = loaded(
        base.format("same", "")
        + base.format("new", "")
        + base.format("a", "startsecs = 7\npriority = 1")
        + base.format("b", 'umask = "077"\nstdout_logfile_backups = 2')
    )
    changes = diff(old, new)
    assert [group.name for group in changes.added] == ["new"]
    assert [group.name for group in changes.removed] == ["gone"]
    assert [change.definition.name for change in changes.changed] == ["a", "b"]
    assert changes.changed[0].restarted == {}
    assert changes.changed[0].live == {"a": ("priority", "startsecs")}
    assert changes.changed[1].restarted == {"b": ("umask", "stdout_logfile_backups")}
