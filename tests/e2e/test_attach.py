"""Input to processes: `kahi ctl send`, `attach`, and the routes behind them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from kahi_api.client import ApiError, Event, LogPiece
from tests.support import Daemon, eventually, python
from tests.terminal import Terminal

Start = Callable[..., Daemon]

ECHO = python(
    "import sys\n"
    "print('begin', flush=True)\n"
    "for line in sys.stdin.buffer:\n"
    "    sys.stdout.buffer.write(b'got ' + line); sys.stdout.flush()\n"
    "    if line.startswith(b'err'): print('on stderr', file=sys.stderr, flush=True)\n"
    "print('end of input', flush=True)\n"
)
WEB = f"[programs.web]\n{ECHO}\nstartsecs = 0\n"


def kahi(running: Daemon, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), *arguments]


def log_of(running: Daemon, name: str = "web") -> bytes:
    with running.client() as client:
        return client.log(name, length=100_000).data


def test_send(daemon: Start) -> None:
    running = daemon(
        WEB
        + "[programs.deaf]\ncommand = 'sleep 3600'\nstdin = 'null'\n[programs.off]\ncommand = 'x'\nautostart = false\n"
    )
    running.wait_for("web", "RUNNING")
    assert running.ctl("send", "web", "a ü b").returncode == 0
    assert running.ctl("send", "web", "no end", "--raw").returncode == 0
    assert running.ctl("send", "web", "").returncode == 0
    eventually(lambda: log_of(running).endswith("got a ü b\ngot no end\n".encode()), "the lines")
    for name, reason in (
        ("deaf", "kahi: deaf: takes no input\n"),
        ("off", "kahi: off: not running\n"),
        ("none", "kahi: no such process: none\n"),
    ):
        done = running.ctl("send", name, "x")
        assert (done.returncode, done.stderr) == (1, reason)


def test_the_end_of_input_only_where_it_is_allowed(daemon: Start) -> None:
    running = daemon(
        WEB + WEB.replace("programs.web", "programs.ends") + "stdin_eof = true\nautorestart = false\n"
    )
    for name in ("web", "ends"):
        running.wait_for(name, "RUNNING")
    with running.client() as client:
        with pytest.raises(ApiError, match="its input may not be ended") as caught:
            client.send("web", b"x\n", end=True)
        assert (caught.value.status, caught.value.code) == (409, "CONFLICT")
        # More than a pipe takes, so that the end has to wait behind it.
        client.send("ends", b"y" * 300_000 + b"\n", end=True)
    running.wait_for("ends", "EXITED")
    assert log_of(running, "ends").endswith(b"y\nend of input\n")
    assert b"got x" not in log_of(running)


@pytest.mark.fault("P3")
def test_input_that_nobody_reads_is_bounded(daemon: Start) -> None:
    running = daemon("[programs.web]\ncommand = 'sleep 3600'\nstartsecs = 0\n")
    running.wait_for("web", "RUNNING")
    with running.client() as client:
        for _ in range(2):
            client.send("web", b"x" * 500_000)
        with pytest.raises(ApiError) as caught:
            client.send("web", b"x" * 500_000)
        assert (caught.value.status, caught.value.code) == (409, "STDIN_FULL")


def test_one_client_at_a_time_is_attached(daemon: Start) -> None:
    running = daemon(WEB)
    running.wait_for("web", "RUNNING")
    eventually(lambda: b"begin" in log_of(running), "the first line")
    seen: list[LogPiece | Event] = []
    first = running.client()
    stream = first.attach("web")
    reader = threading.Thread(target=lambda: seen.extend(stream))
    reader.start()
    with running.client() as second:
        with pytest.raises(ApiError, match="somebody is attached already") as caught:
            second.attach("web")
        assert (caught.value.status, caught.value.code) == (409, "CONFLICT")
        second.send("web", b"err \xff\r\n")
        eventually(lambda: second.log("web", "stderr").data == b"on stderr\n", "stderr")
        second.restart("web")
        running.wait_for("web", "RUNNING")
    first.close()
    reader.join(10)

    def printed(name: str) -> bytes:
        return b"".join(each.data for each in seen if isinstance(each, LogPiece) and each.stream == name)

    def free_again() -> bool:
        with running.client() as third:
            try:
                third.attach("web")
            except ApiError:
                return False
            return True

    eventually(free_again, "the place is free")
    assert printed("stdout").startswith(b"got err \xff\r\n")
    assert printed("stderr") == b"on stderr\n"
    states = [each.type.rpartition("_")[2] for each in seen if isinstance(each, Event)]
    assert states[:3] == ["STOPPING", "STOPPED", "STARTING"]


def test_attached_on_a_terminal(daemon: Start, terminal: Callable[..., Terminal]) -> None:
    running = daemon(WEB)
    running.wait_for("web", "RUNNING")
    shown = terminal(kahi(running, "attach", "web"))
    shown.wait_for(r"kahi: attached to web \(RUNNING\); Ctrl-C detaches")
    second = running.ctl("fg", "web", stdin=subprocess.DEVNULL)
    assert (second.returncode, second.stderr) == (1, "kahi: web: somebody is attached already\n")
    shown.send("hello\n")
    shown.wait_for("got hello")
    shown.send("\x04")
    shown.wait_for(r"kahi: web: its input may not be ended \(stdin_eof is false\)")
    shown.send("e\x1b[31mvil\n")
    shown.wait_for(r"got e\\x1b\[31mvil")
    running.ctl("restart", "web")
    shown.wait_for("web: STOPPED.*web: RUNNING")
    shown.send("again\n")
    shown.wait_for("got again")
    shown.send("\x03")
    shown.wait_for("detached from web")
    assert shown.wait() == 0
    assert shown.is_cooked()
    assert running.process("web").state == "RUNNING"


def test_ctrl_d_where_it_is_allowed(daemon: Start, terminal: Callable[..., Terminal]) -> None:
    running = daemon(WEB + "stdin_eof = true\nautorestart = false\n")
    running.wait_for("web", "RUNNING")
    shown = terminal(kahi(running, "attach", "web"))
    shown.wait_for("attached")
    shown.send("\x04")
    shown.wait_for("end of input.*web: EXITED")
    shown.send("lost\n")
    shown.wait_for("kahi: web: not running")
    shown.send("\x03")
    assert shown.wait() == 0


def test_attached_to_a_pipe(daemon: Start) -> None:
    running = daemon(
        WEB + WEB.replace("programs.web", "programs.ends") + "stdin_eof = true\nautorestart = false\n"
    )
    for name in ("web", "ends"):
        running.wait_for(name, "RUNNING")
    done = subprocess.run(
        kahi(running, "attach", "web"), input="one\n", capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: b"got one\n" in log_of(running), "the line")
    with subprocess.Popen(
        kahi(running, "attach", "ends"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as attached:
        assert attached.stdin is not None
        assert attached.stdout is not None
        attached.stdin.write("two\n")
        attached.stdin.close()
        assert attached.stdout.readline() == "got two\n"
        assert attached.stdout.readline() == "end of input\n"
        attached.send_signal(signal.SIGINT)
        assert attached.wait(20) == 0


def test_attached_when_the_daemon_ends(daemon: Start, terminal: Callable[..., Terminal]) -> None:
    running = daemon(WEB)
    running.wait_for("web", "RUNNING")
    shown = terminal(kahi(running, "attach", "web"))
    shown.wait_for("attached")
    running.terminate()
    shown.wait_for("kahi: web or the daemon is no more|kahi: the daemon")
    assert shown.wait() == 1
    assert shown.is_cooked()


@pytest.mark.parametrize(
    "body",
    ["{}", '{"data": 3}', '{"data": "a", "data_base64": ""}', '{"data_base64": "%"}', '{"end": 1}'],
)
def test_input_that_means_nothing(daemon: Start, body: str) -> None:
    running = daemon(WEB)
    done = subprocess.run(
        [
            *("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", str(running.socket)),
            *("-H", "Content-Type: application/json", "-d", body),
            "http://k/api/v1/processes/web/stdin",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "400"
