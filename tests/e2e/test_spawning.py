"""What a child gets: descriptors, signals, identity, limits, environment."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]

OWN_IGNORED = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
"""What Python itself ignores."""

LIBC_SIGNALS = 1 << 31 | 1 << 32
"""32 and 33 belong to the threads of the C library, which lets no program change them; whoever runs the
tests may have passed them on ignored, and that means nothing to anybody."""

REPORT = """
import json, os, resource, signal
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
mask = os.umask(0)
print(json.dumps({
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
    "session": os.getsid(0) == os.getpid(),
    "group": os.getpgid(0) == os.getpid(),
    "ignored": int(status["SigIgn"], 16),
    "blocked": int(status["SigBlk"], 16),
    "no_new_privs": int(status["NoNewPrivs"]),
    "umask": mask,
    "cwd": os.getcwd(),
    "uid": os.getuid(),
    "gid": os.getgid(),
    "groups": sorted(os.getgroups()),
    "nice": os.getpriority(os.PRIO_PROCESS, 0),
    "oom": int(open("/proc/self/oom_score_adj").read()),
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "environ": dict(os.environ),
    "stdin": os.readlink("/proc/self/fd/0"),
    "same": os.readlink("/proc/self/fd/1") == os.readlink("/proc/self/fd/2"),
}))
"""


@pytest.fixture
def report(daemon: Start, short_tmp: Path) -> Callable[..., dict[str, Any]]:
    """What a child sees of itself: ``report(program_keys, supervisor_toml)``."""

    def of(keys: str = "", rest: str = "", **options: Any) -> dict[str, Any]:
        log = short_tmp / "report"
        log.touch()
        short_tmp.chmod(0o755)
        running = daemon(
            f"{rest}\n[programs.x]\n{python(REPORT)}\noneshot = true\nstdout_logfile = '{log}'\n{keys}\n",
            **options,
        )
        found = eventually(
            lambda: [p for p in [running.process("x")] if p.state in ("EXITED", "FATAL")], "the report"
        )
        assert found[0].state == "EXITED", found[0].spawn_error or running.ctl("tail", "x", "stderr").stdout
        return json.loads(log.read_text())

    return of


@pytest.mark.fault("E9")
def test_a_child_has_a_session_and_nothing_it_should_not_have(report: Callable[..., dict[str, Any]]) -> None:
    seen = report()
    assert seen["session"]
    assert seen["group"]
    assert seen["fds"] == [0, 1, 2]
    assert seen["stdin"].startswith("pipe:")
    assert not seen["same"]
    assert seen["ignored"] & ~(OWN_IGNORED | LIBC_SIGNALS) == 0
    assert seen["blocked"] == 0


@pytest.mark.fault("E9")
def test_what_the_parent_of_the_daemon_ignored_or_blocked_is_not_inherited(
    report: Callable[..., dict[str, Any]],
) -> None:
    code = (
        "import os, signal, sys; "
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); signal.signal(signal.SIGTTIN, signal.SIG_IGN); "
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM]); "
        "os.set_inheritable(os.open('/dev/null', 0), True); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    seen = report(wrapper=[sys.executable, "-c", code])
    assert seen["ignored"] & ~(OWN_IGNORED | LIBC_SIGNALS) == 0
    assert seen["blocked"] == 0
    assert seen["fds"] == [0, 1, 2]


@pytest.mark.fault("E9")
def test_no_signal_is_ignored_or_blocked(daemon: Start) -> None:
    running = daemon('[programs.x]\ncommand = "cat /proc/self/status"\noneshot = true\n')
    running.wait_for("x", "EXITED")
    status = dict(
        line.split(":", 1) for line in running.ctl("tail", "x", "--bytes", "8192").stdout.splitlines()
    )
    for mask in ("SigBlk", "SigIgn", "SigCgt"):
        assert int(status[mask], 16) & ~LIBC_SIGNALS == 0, mask


def test_stdin_null_and_redirect(report: Callable[..., dict[str, Any]]) -> None:
    seen = report('stdin = "null"\nredirect_stderr = true')
    assert seen["stdin"] == "/dev/null"
    assert seen["same"]


def test_directory_umask_limits(report: Callable[..., dict[str, Any]]) -> None:
    seen = report(
        'directory = "/usr"\numask = "027"\nrlimits = {nofile = "123:456", core = 0}\nno_new_privs = true'
    )
    assert (seen["cwd"], seen["umask"], seen["nofile"], seen["core"]) == ("/usr", 0o027, [123, 456], [0, 0])
    assert seen["no_new_privs"] == 1


def test_the_daemons_own_umask_and_directory(report: Callable[..., dict[str, Any]]) -> None:
    seen = report(rest='[supervisor]\numask = "077"\ndirectory = "/usr"')
    assert (seen["umask"], seen["cwd"]) == (0o077, "/usr")


def test_nice_and_oom_score(report: Callable[..., dict[str, Any]]) -> None:
    base = int(Path("/proc/self/oom_score_adj").read_text())
    seen = report(f"nice = 3\noom_score_adj = {max(base, 500)}")
    assert seen["nice"] == os.getpriority(os.PRIO_PROCESS, 0) + 3 or seen["nice"] == 3
    assert seen["oom"] == max(base, 500)


def test_the_environment_in_its_ranks(report: Callable[..., dict[str, Any]], short_tmp: Path) -> None:
    (short_tmp / "env").write_text("FROM_FILE=1\nOWN=file\n")
    seen = report(
        "environment_file = ['env', '-none']\nenvironment = {OWN = 'own'}",
        "[supervisor.environment]\nFOR_ALL = '1'\nOWN = 'all'",
        environ={"FROM_DAEMON": "1", "OWN": "daemon"},
    )["environ"]
    assert seen["FROM_DAEMON"] == seen["FOR_ALL"] == seen["FROM_FILE"] == "1"
    assert seen["OWN"] == "own"
    assert seen["SUPERVISOR_ENABLED"] == "1"
    assert seen["SUPERVISOR_PROCESS_NAME"] == seen["SUPERVISOR_GROUP_NAME"] == "x"
    assert seen["SUPERVISOR_SERVER_URL"] == f"unix://{short_tmp}/k.sock"


def test_a_clean_environment(report: Callable[..., dict[str, Any]]) -> None:
    seen = report("clean_environment = true\nenvironment = {A = '1'}", environ={"FROM_DAEMON": "1"})[
        "environ"
    ]
    seen.pop("LC_CTYPE", None)  # Python's own doing
    assert set(seen) == {
        "A",
        "SUPERVISOR_ENABLED",
        "SUPERVISOR_PROCESS_NAME",
        "SUPERVISOR_GROUP_NAME",
        "SUPERVISOR_SERVER_URL",
    }


def test_a_missing_environment_file_is_an_error(
    kahi: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text('[programs.x]\ncommand = "x"\nenvironment_file = ["none"]\n')
    assert "none: cannot be read: No such file or directory" in kahi("check", "-c", str(config)).stderr


@pytest.mark.needs_root
def test_another_user_starts_from_a_minimal_environment(daemon: Start) -> None:
    nobody = pwd.getpwnam("nobody")
    running = daemon(
        '[programs.a]\ncommand = ["sh", "-c", "id -u; id -g; env"]\noneshot = true\nuser = "nobody"\ndirectory = "/"\n'
        '[programs.b]\ncommand = ["sh", "-c", "id -u; id -g; env"]\noneshot = true\nuser = "1234:4321"\n'
        'inherit_environment = true\ndirectory = "/"\n',
        environ={"FROM_DAEMON": "1"},
    )
    running.wait_for("a", "EXITED")
    running.wait_for("b", "EXITED")
    lines = running.ctl("tail", "a", "--bytes", "100000").stdout.splitlines()
    assert lines[:2] == [str(nobody.pw_uid), str(nobody.pw_gid)]
    assert "USER=nobody" in lines
    assert f"HOME={nobody.pw_dir}" in lines
    assert "FROM_DAEMON=1" not in lines
    lines = running.ctl("tail", "b", "--bytes", "100000").stdout.splitlines()
    assert lines[:2] == ["1234", "4321"]
    assert "FROM_DAEMON=1" in lines


@pytest.mark.fault("E8")
@pytest.mark.needs_root
def test_a_daemon_that_is_not_root_can_not_become_somebody(short_tmp: Path) -> None:
    code = (
        "import os, sys\nfrom kahi.identity import find_identity\nfrom kahi.errors import SpawnError\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "assert find_identity('65534:65534') is None\n"
        "try:\n    find_identity('root')\nexcept SpawnError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "cannot become user root: only a daemon that runs as root can change the user\n", (
        done.stderr
    )


@pytest.mark.fault("E8")
def test_a_limit_that_can_not_be_had_is_fatal(daemon: Start) -> None:
    running = daemon(
        '[programs.x]\ncommand = "sleep 3600"\nrlimits = {nofile = "9223372036854775807"}\nstartsecs = 0\n'
    )
    found = running.wait_for("x", "FATAL")
    assert found.spawn_error.startswith("cannot set limit nofile = 9223372036854775807")


def test_words_of_the_command(daemon: Start) -> None:
    running = daemon(
        "[programs.split]\ncommand = '''printf \"%%s|\" one 'two words' \"a\\\"b\" $HOME *'''\noneshot = true\n"
        "[programs.list]\ncommand = ['printf', '%%s|', '', 'a b']\noneshot = true\n"
    )
    running.wait_for("split", "EXITED")
    running.wait_for("list", "EXITED")
    assert running.ctl("tail", "split").stdout == 'one|two words|a"b|$HOME|*|'
    assert running.ctl("tail", "list").stdout == "|a b|"


@pytest.mark.needs_root
def test_a_limit_too_low_to_go_on_with_never_hangs_the_daemon(daemon: Start) -> None:
    tables = "".join(
        f'[programs.p{number}]\ncommand = "sleep 3600"\nstartsecs = 0\nstartretries = 0\nrlimits = {{ {limit} }}\n'
        for number, limit in enumerate(
            ["as = 1", "as = 100000", "data = 0", "stack = 1", "cpu = 0", "fsize = 0"]
        )
    )
    running = daemon(tables + '[programs.fine]\ncommand = "sleep 3600"\nstartsecs = 0\n')
    running.wait_for("fine", "RUNNING")
    assert running.answers()


@pytest.mark.fault("E8")
@pytest.mark.needs_root
def test_the_daemons_own_user_is_fine_whatever_its_group(daemon: Start, short_tmp: Path) -> None:
    short_tmp.chmod(0o777)
    somebody = ["setpriv", "--reuid", "65534", "--regid", "12345", "--clear-groups"]
    if subprocess.run([*somebody, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("needs a Python that others than its owner can run")
    running = daemon(
        '[programs.own]\ncommand = ["sh", "-c", "id -u; id -g; exec sleep 3600"]\nuser = "nobody"\nstartsecs = 0\n'
        '[programs.other]\ncommand = "sleep 3600"\nuser = "daemon"\n'
        '[programs.group]\ncommand = "sleep 3600"\nuser = "nobody:daemon"\n',
        wrapper=somebody,
    )
    running.wait_for("own", "RUNNING")
    eventually(lambda: running.ctl("tail", "own").stdout == "65534\n12345\n", "its identity")
    for name in ("other", "group"):
        assert "only a daemon that runs as root" in running.wait_for(name, "FATAL").spawn_error
