"""Who may use the control socket."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, eventually

Start = Callable[..., Daemon]

ASK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
try:
    connection.connect(sys.argv[1])
    connection.sendall(b"GET /api/v1/version HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(connection.recv(12).decode())
except OSError as error:
    print(type(error).__name__)
"""


def ask_as(path: Path, uid: int, gid: int, groups: tuple[int, ...] = ()) -> str:
    """The first words of the daemon's answer to somebody, "" when it closes."""
    program = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    done = subprocess.run(
        [program, "-I", "-c", ASK, str(path)],
        capture_output=True,
        text=True,
        check=False,
        user=uid,
        group=gid,
        extra_groups=groups,
        cwd="/",
    )
    return done.stdout.strip() or done.stderr


OPEN = 'file = "{path}"\nchmod = "0777"\n'


@pytest.mark.fault("A15")
@pytest.mark.needs_root
def test_a_wide_mode_lets_in_only_who_is_named(daemon: Start, short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    path = short_tmp / "wide"
    running = daemon(
        f'[server.unix]\n{OPEN.format(path=path)}allow_users = ["daemon"]\nallow_groups = ["games", "61000"]\n',
        wait=False,
    )
    eventually(path.exists, "the socket is there")
    assert stat.S_IMODE(path.stat().st_mode) == 0o777
    allowed = "HTTP/1.1 200"
    assert eventually(lambda: ask_as(path, 0, 0), "root gets an answer") == allowed
    assert ask_as(path, 1, 65534) == allowed
    assert ask_as(path, 65534, 60) == allowed, "its own group"
    assert ask_as(path, 65534, 65534, (61000,)) == allowed, "a supplementary group"
    for _ in range(3):
        assert ask_as(path, 65534, 65534) in ("", "ConnectionResetError", "BrokenPipeError")
    refused = "refused uid 65534 at the control socket: not in allow_users or allow_groups"
    eventually(lambda: refused in running.output, "it is logged")
    assert running.output.count(refused) == 1


@pytest.mark.fault("A15")
@pytest.mark.needs_root
def test_a_wide_mode_alone_opens_nothing(daemon: Start, short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    path = short_tmp / "wide"
    daemon(f"[server.unix]\n{OPEN.format(path=path)}", wait=False)
    eventually(path.exists, "the socket is there")
    assert ask_as(path, 65534, 65534) in ("", "ConnectionResetError", "BrokenPipeError")


@pytest.mark.needs_root
def test_the_owner_of_the_socket_may_use_it(daemon: Start, short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    path = short_tmp / "given"
    daemon(f'[server.unix]\nfile = "{path}"\nchown = "nobody"\n', wait=False)
    eventually(path.exists, "the socket is there")
    assert eventually(lambda: ask_as(path, 65534, 65534), "an answer") == "HTTP/1.1 200"
    assert ask_as(path, 1, 1) == "PermissionError"


def test_names_that_nobody_has(kahi: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text('[server.unix]\nchmod = "0770"\nallow_users = ["no-such-user"]\n')
    checked = kahi("check", "-c", str(config))
    assert checked.returncode == 1
    assert "[server.unix] allow_users: there is no user 'no-such-user'" in checked.stderr


@pytest.mark.fault("S4")
def test_a_path_that_is_too_long(
    kahi: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text(f"[server.unix]\nfile = '/{'x' * 103}'\n")
    line = f"{config}:2: [server.unix] file: is too long for a socket (at most 103 bytes)\n"
    for command in ("check", "daemon"):
        done = kahi(command, "-c", str(config))
        assert (done.returncode, done.stderr) == (1, line)
