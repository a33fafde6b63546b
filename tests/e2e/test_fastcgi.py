"""FastCGI programs: sockets that Kahi binds and processes share."""

from __future__ import annotations

import os
import signal
import socket
import stat
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.fastcgi_responder import BEGIN, PARAMS, STDIN, STDOUT, read_record, record
from tests.support import Daemon, eventually

Start = Callable[..., Daemon]
RESPONDER = (
    f"command = ['{sys.executable}', '{Path(__file__).with_name('fastcgi_responder.py')}']\nstartsecs = 0"
)


def ask(address: str | tuple[str, int]) -> int:
    """The pid of the process that answers a FastCGI request."""
    family = (
        socket.AF_UNIX
        if isinstance(address, str)
        else socket.AF_INET6
        if ":" in address[0]
        else socket.AF_INET
    )
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address)
        client.sendall(
            record(BEGIN, 1, struct.pack("!HB5x", 1, 0)) + record(PARAMS, 1, b"") + record(STDIN, 1, b"")
        )
        kind, _, content = read_record(client)
        assert kind == STDOUT
        return int(content.rpartition(b"\r\n\r\n")[2])


def free_port(family: int = socket.AF_INET) -> int:
    """A port that nobody uses."""
    with socket.socket(family) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


def test_processes_share_a_unix_socket(daemon: Start, short_tmp: Path) -> None:
    path = short_tmp / "f.sock"
    running = daemon(
        f'[fcgi_programs.app]\n{RESPONDER}\nsocket = "unix://{path}"\nsocket_mode = "0660"\nnumprocs = 3\n'
    )
    for number in range(3):
        running.wait_for(f"app_{number}", "RUNNING")
    pids = {process.pid for process in running.processes().values()}
    assert {ask(str(path)) for _ in range(30)} <= pids
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    inode = path.stat().st_ino
    running.ctl("stop", "app_0", "app_1")
    assert ask(str(path)) == running.process("app_2").pid
    os.kill(running.process("app_2").pid, signal.SIGKILL)
    eventually(lambda: running.process("app_2").restarts == 1, "a restart")
    assert ask(str(path)) == running.process("app_2").pid
    assert path.stat().st_ino == inode, "the socket stays over a restart"
    running.ctl("stop", "app_2")
    assert not path.exists(), "the last one is down for good"
    running.ctl("start", "app_1")
    assert ask(str(path)) == running.process("app_1").pid
    running.terminate()
    assert not path.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_tcp(daemon: Start, host: str) -> None:
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    try:
        port = free_port(family)
    except OSError:
        pytest.skip("this machine has no IPv6")
    written = f"[{host}]" if ":" in host else host
    running = daemon(f'[fcgi_programs.app]\n{RESPONDER}\nsocket = "tcp://{written}:{port}"\n')
    pid = running.wait_for("app", "RUNNING").pid
    address = ("127.0.0.1", port) if host == "localhost" else (host, port)
    try:
        assert ask(address) == pid
    except ConnectionRefusedError:
        assert ask(("::1", port)) == pid
    running.ctl("stop", "app")
    with pytest.raises(ConnectionRefusedError):
        ask(address)


def test_inside_a_group(daemon: Start, short_tmp: Path) -> None:
    path = short_tmp / "f.sock"
    running = daemon(
        f'[fcgi_programs.app]\n{RESPONDER}\nsocket = "unix://{path}"\n'
        '[programs.web]\ncommand = "sleep 3600"\nstartsecs = 0\n'
        '[groups.site]\nprograms = ["app", "web"]\n'
    )
    assert ask(str(path)) == running.wait_for("app", "RUNNING").pid
    assert running.process("app").group == "site"
    running.ctl("stop", "site:*")
    assert not path.exists()


@pytest.mark.needs_root
def test_the_owner_of_the_socket(daemon: Start, short_tmp: Path) -> None:
    path = short_tmp / "f.sock"
    running = daemon(
        f'[fcgi_programs.app]\n{RESPONDER}\nsocket = "unix://{path}"\nsocket_owner = "nobody:daemon"\n'
    )
    running.wait_for("app", "RUNNING")
    import grp
    import pwd

    found = path.stat()
    assert (found.st_uid, found.st_gid) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("daemon").gr_gid)


def test_an_address_that_is_taken_is_tried_again(daemon: Start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = daemon(f'[fcgi_programs.app]\n{RESPONDER}\nsocket = "tcp://127.0.0.1:{port}"\n')
        found = running.wait_for("app", "BACKOFF")
        assert found.spawn_error == f"cannot listen on tcp://127.0.0.1:{port}: Address already in use"
    running.wait_for("app", "RUNNING")


def test_a_path_that_can_not_be_is_fatal(daemon: Start) -> None:
    running = daemon(f'[fcgi_programs.app]\n{RESPONDER}\nsocket = "unix:///nowhere/f.sock"\n')
    assert "No such file or directory" in running.wait_for("app", "FATAL").spawn_error


def test_the_backlog_counts(daemon: Start, short_tmp: Path) -> None:
    path = short_tmp / "f.sock"
    running = daemon(
        f'[fcgi_programs.app]\ncommand = "sleep 3600"\nstartsecs = 0\nsocket = "unix://{path}"\nsocket_backlog = 2\n'
    )
    running.wait_for("app", "RUNNING")
    clients: list[socket.socket] = []
    try:
        for _ in range(10):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.setblocking(False)
            try:
                client.connect(str(path))
            except BlockingIOError:
                break
        assert len(clients) == 4, "backlog + 1 fit, as Linux counts"
    finally:
        for client in clients:
            client.close()
