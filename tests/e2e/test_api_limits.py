"""The API under clients that send slowly, do not read, or come in hundreds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_api import limits
from tests.api.raw import answer_of, connect, exchange, is_closed, request
from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def memory_of(pid: int) -> int:
    """Resident memory in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)


def close_all(connections: list[socket.socket]) -> None:
    """Close connections."""
    for connection in connections:
        connection.close()


@pytest.mark.fault("A3")
@pytest.mark.slow
def test_half_sent_heads_are_gone_at_their_deadline(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    connections = [connect(running.socket) for _ in range(300)]
    begin = time.monotonic()
    for number, connection in enumerate(connections):
        # Some say nothing at all, some stop in the middle.
        connection.sendall((b"", b"\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")[number % 3])
    assert running.process("a").state == "RUNNING"
    while time.monotonic() - begin < limits.HEAD_TIME - 1:
        for connection in connections[2::3]:
            connection.sendall(b"a")
        time.sleep(0.3)
    eventually(lambda: all(map(is_closed, connections)), "all are closed", limits.HEAD_TIME + 5)
    assert time.monotonic() - begin >= limits.HEAD_TIME - 1
    close_all(connections)


@pytest.mark.fault("A3")
@pytest.mark.slow
def test_half_sent_bodies_are_gone_at_their_deadline(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    head = b"POST /api/v1/actions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    fixed, chunked, unwanted = (connect(running.socket) for _ in range(3))
    begin = time.monotonic()
    fixed.sendall(head + b"Content-Length: 100\r\n\r\n{")
    chunked.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
    unwanted.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert answer_of(unwanted)[0] == 200
    for connection in (fixed, chunked):
        status, _, body = answer_of(connection)
        assert (status, json.loads(body)["code"]) == (408, "REQUEST_TIMEOUT")
    assert time.monotonic() - begin >= limits.BODY_TIME - 1
    eventually(lambda: all(map(is_closed, (fixed, chunked, unwanted))), "all are closed", 5)
    assert "Traceback" not in running.output
    close_all([fixed, chunked, unwanted])


@pytest.mark.fault("A1")
@pytest.mark.slow
def test_answers_that_nobody_reads_are_given_up(daemon: Start) -> None:
    code = "print('x' * 1048576); import time; time.sleep(3600)"
    running = daemon(f"[programs.a]\n{python(code)}\nstdout_buffer_maxbytes = '4MB'\nstartsecs = 0\n")
    eventually(lambda: running.output.count("x") > 1_000_000, "all is printed")
    connection = connect(running.socket)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(request("GET", "/api/v1/processes/a/log/stdout?length=1048576"))
    begin = time.monotonic()
    with connection:
        eventually(lambda: open_sockets(running.pid), "it is accepted")
        eventually(lambda: not open_sockets(running.pid), "the daemon gives up", limits.READING_TIME + 10)
        assert time.monotonic() - begin > limits.READING_TIME - 5


def open_sockets(pid: int) -> list[str]:
    """Accepted connections on the control socket of a daemon."""
    inodes: set[str] = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    # State 03 is connected; listening sockets are 01.
    return [row[6] for row in rows if row[6] in inodes and row[5] == "03" and len(row) > 7]


@pytest.mark.fault("A1", "A2")
@pytest.mark.slow
def test_readers_that_do_not_read_cost_nothing_but_their_buffers(daemon: Start) -> None:
    code = (
        "import sys, time\n"
        "while True:\n"
        "    sys.stdout.write('0123456789abcdef' * 4095 + chr(10)); sys.stdout.flush(); time.sleep(0.01)\n"
    )
    running = daemon(
        f"[programs.flood]\n{python(code)}\nstdout_logfile = '/dev/null'\nstartsecs = 0\n"
        f"[programs.a]\n{SLEEPER}\n"
    )
    target = "/api/v1/processes/flood/log/stdout/stream"
    connections: list[socket.socket] = []
    for _ in range(limits.STREAMS):
        connections.append(connect(running.socket))
        connections[-1].sendall(request("GET", target))
        connections[-1].recv(10)
    status, fields, body = exchange(running.socket, request("GET", target))
    assert (status, body["code"]) == (503, "UNAVAILABLE")
    assert int(fields["retry-after"]) > 0
    readers = connections[::2]
    for connection in readers:
        connection.setblocking(False)

    def read_for(seconds: float) -> int:
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            for connection in readers:
                try:
                    count += len(connection.recv(262144))
                except BlockingIOError:
                    continue
            time.sleep(0.01)
        return count

    assert read_for(3) > 10_000_000
    before = memory_of(running.pid)
    assert read_for(8) > 10_000_000
    assert memory_of(running.pid) - before < 8_000_000
    begin = time.monotonic()
    assert running.process("a").state == "RUNNING"
    assert time.monotonic() - begin < 5, "the others are served meanwhile"
    begin = time.monotonic()
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert time.monotonic() - begin < 3
    close_all(connections)


@pytest.mark.fault("S8")
def test_streams_do_not_hold_up_the_end(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    connections = [connect(running.socket) for _ in range(20)]
    for connection in connections:
        connection.sendall(request("GET", "/api/v1/processes/a/log/stdout/stream"))
    for connection in connections:
        assert b"200 OK" in connection.recv(4096)
    half_sent = connect(running.socket)
    half_sent.sendall(b"GET / HT")
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 1
    # Ended in order: the last chunk came.
    for connection in connections:
        data = b""
        while piece := connection.recv(4096):
            data += piece
        assert data.endswith(b"0\r\n\r\n")
    close_all([*connections, half_sent])


def lines_about_clients(running: Daemon) -> list[str]:
    """What the daemon printed, but for imports that a busy machine has made slow."""
    return [line for line in running.output.splitlines() if "held the event loop" not in line]


@pytest.mark.fault("A4", "A5", "A7")
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 32768 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70000, 431),
        (b"GET /api/v1/processes/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/v1/processes/..%2f..%2fetc HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/v1/processes/%ff HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"TRACE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET http://elsewhere/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200),
    ],
)
def test_requests_that_are_no_http(daemon: Start, head: bytes, status: int) -> None:
    running = daemon("")
    eventually(lambda: "the API is served" in running.output, "all of the start is logged")
    lines = lines_about_clients(running)
    found, fields, body = exchange(running.socket, head)
    assert found == status
    assert fields["x-content-type-options"] == "nosniff"
    if status != 200:
        assert set(body) == {"error", "code"}
    assert "Traceback" not in running.output
    assert lines_about_clients(running) == lines, "clients do not fill the log"


@pytest.mark.fault("A2")
def test_connections_are_limited(daemon: Start) -> None:
    running = daemon("[server]\nmax_connections = 8\n")
    connections: list[socket.socket] = []

    def one_more_is_kept() -> bool:
        connection = connect(running.socket)
        with contextlib.suppress(OSError):
            connection.sendall(request("GET", "/healthz"))
            if answer_of(connection)[0] == 200:
                connections.append(connection)
                return True
        connection.close()
        return False

    for _ in range(8):
        eventually(one_more_is_kept, "there is a place")
    status, fields, body = exchange(running.socket, request("GET", "/healthz"))
    assert (status, body["code"], fields["retry-after"]) == (503, "UNAVAILABLE", "5")
    connections.pop().close()
    eventually(one_more_is_kept, "a place is free again")
    close_all(connections)


@pytest.mark.fault("A2")
def test_streams_are_limited(daemon: Start) -> None:
    running = daemon(f"[server]\nmax_streams = 2\n[programs.a]\n{SLEEPER}\n")
    target = "/api/v1/processes/a/log/stdout/stream"
    connections = [connect(running.socket) for _ in range(2)]
    for connection in connections:
        connection.sendall(request("GET", target))
        assert b"200 OK" in connection.recv(4096)
    assert exchange(running.socket, request("GET", target))[0] == 503
    connections[0].close()

    def another() -> bool:
        with connect(running.socket) as connection:
            connection.sendall(request("GET", target))
            return b"200 OK" in connection.recv(4096)

    eventually(another, "a place is free")
    close_all(connections)


@pytest.mark.slow
@pytest.mark.needs_strace
def test_an_idle_daemon_makes_no_system_call(daemon: Start, short_tmp: Path) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    with running.client() as client:
        assert client.health() == "ok"
    time.sleep(3)
    trace = short_tmp / "trace"
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", str(trace), "-p", str(running.pid)], stderr=subprocess.DEVNULL
    )
    eventually(lambda: "TracerPid:\t0" not in Path(f"/proc/{running.pid}/status").read_text(), "is traced")
    time.sleep(10)
    strace.send_signal(signal.SIGINT)
    strace.wait()
    calls = [
        line for line in trace.read_text().splitlines() if "resumed" not in line and "unfinished" not in line
    ]
    waiting = ("epoll_wait", "poll(", "select", "futex", "restart_syscall", "read(")
    assert [line for line in calls if not any(word in line for word in waiting)] == []
    assert len(trace.read_text().splitlines()) <= 6, trace.read_text()
