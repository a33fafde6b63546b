"""Lines to syslog: over a datagram or stream socket, UDP and TCP, with servers that come and go."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]


class Server:
    """Collects messages; ``kind`` is unix, unix-stream, udp or tcp."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.messages: list[bytes] = []
        self.path = directory / "log.sock"
        self.port = 0
        self.sockets: list[socket.socket] = []
        self.open()

    @property
    def address(self) -> str:
        """For the configuration."""
        return str(self.path) if self.kind.startswith("unix") else f"{self.kind}://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Begin, or begin again at the same place."""
        family = socket.AF_UNIX if self.kind.startswith("unix") else socket.AF_INET
        style = socket.SOCK_DGRAM if self.kind in ("unix", "udp") else socket.SOCK_STREAM
        server = socket.socket(family, style)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_UNIX:
            server.bind(str(self.path))
        else:
            server.bind(("127.0.0.1", self.port))
            self.port = server.getsockname()[1]
        if style == socket.SOCK_STREAM:
            server.listen()
        self.sockets = [server]
        threading.Thread(target=self._collect, args=(server, style), daemon=True).start()

    def close(self) -> None:
        """Go away, with all connections."""
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.path.unlink(missing_ok=True)

    def _collect(self, server: socket.socket, style: int) -> None:
        with contextlib.suppress(OSError):
            if style == socket.SOCK_DGRAM:
                while data := server.recv(65536):
                    self.messages.append(data)
                return
            while True:
                connection, _ = server.accept()
                self.sockets.append(connection)
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                self.messages.append(line.removesuffix(b"\n"))

    def texts(self) -> list[str]:
        """What the messages say, without their heads."""
        return [message.decode("utf-8", "replace").partition(": ")[2] for message in self.messages]


@pytest.fixture
def server(short_tmp: Path) -> Iterator[Callable[[str], Server]]:
    made: list[Server] = []

    def make(kind: str) -> Server:
        made.append(Server(kind, short_tmp))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("kind", ["unix", "unix-stream", "udp", "tcp"])
def test_one_message_a_line(daemon: Start, server: Callable[[str], Server], kind: str) -> None:
    syslog = server(kind)
    code = "import sys; print('one'); print('two words'); print(); print('rest', end=''); sys.stdout.flush(); print('bad', file=sys.stderr)"
    running = daemon(
        f"[supervisor.syslog]\naddress = '{syslog.address}'\nfacility = 'local3'\npriority = 'notice'\n"
        f"[programs.web]\n{python(code)}\noneshot = true\nstdout_syslog = true\nstderr_syslog = true\n"
        f"[programs.other]\n{python(code)}\noneshot = true\n"
    )
    eventually(lambda: len(syslog.messages) == 5, "all messages")
    assert sorted(syslog.texts()) == ["", "bad", "one", "rest", "two words"]
    host = "" if kind.startswith("unix") else f"{re.escape(socket.gethostname())} "
    for message in syslog.messages:
        assert re.match(rf"<157>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d {host}web: ", message.decode()), (
            message
        )
    assert running.ctl("tail", "web").stdout == "one\ntwo words\n\nrest"


@pytest.mark.parametrize("kind", ["unix", "unix-stream", "tcp"])
def test_a_server_that_comes_back_gets_what_waited(
    daemon: Start, server: Callable[[str], Server], kind: str, short_tmp: Path
) -> None:
    syslog = server(kind)
    said = short_tmp / "said"
    said.write_text("first\n")
    running = daemon(
        f"[supervisor.syslog]\naddress = '{syslog.address}'\n"
        f"[programs.web]\ncommand = 'tail -n +1 -f {said}'\nstartsecs = 0\nstdout_syslog = true\n"
    )
    eventually(lambda: syslog.texts() == ["first"], "the first")
    syslog.close()
    with said.open("a") as file:
        file.write("second\nthird\n")
    eventually(lambda: "messages wait" in running.output, "the trouble is told")
    syslog.open()
    eventually(lambda: syslog.texts() == ["first", "second", "third"], "all of them")
    eventually(lambda: "takes messages, 0 were dropped so far" in running.output, "the recovery is told")


def test_without_a_server_messages_are_dropped_and_counted(daemon: Start, short_tmp: Path) -> None:
    code = "for number in range(30_000): print(number, 'x' * 100)"
    running = daemon(
        f"[supervisor.syslog]\naddress = '{short_tmp}/nobody'\n"
        f"[programs.web]\n{python(code)}\noneshot = true\nstdout_syslog = true\nstdout_logfile = '/dev/null'\n"
    )
    running.wait_for("web", "EXITED")
    assert running.terminate() == 0
    assert "No such file or directory; messages wait" in running.output
    (dropped,) = re.findall(r"(\d+) messages were dropped", running.output)
    assert int(dropped) == 30_000


def test_a_server_that_does_not_read_holds_up_nobody(daemon: Start, short_tmp: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short_tmp / "stuck"))
        server.listen()
        code = "for number in range(50_000): print(number, 'x' * 200)"
        running = daemon(
            f"[supervisor.syslog]\naddress = '{short_tmp}/stuck'\n"
            f"[programs.web]\n{python(code)}\noneshot = true\nstdout_syslog = true\nstdout_logfile = '{short_tmp}/log'\n"
        )
        running.wait_for("web", "EXITED")
        assert (short_tmp / "log").read_text().count("\n") == 50_000
        assert running.terminate() == 0
        assert "messages were dropped" in running.output


def test_long_lines_become_several_messages(daemon: Start, server: Callable[[str], Server]) -> None:
    syslog = server("unix")
    daemon(
        f"[supervisor.syslog]\naddress = '{syslog.address}'\n"
        f"[programs.web]\n{python('print(chr(228) * 10_000)')}\noneshot = true\nstdout_syslog = true\n"
    )
    eventually(lambda: "".join(syslog.texts()) == "ä" * 10_000, "the whole line")
    assert len(syslog.messages) == 3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("address = 'nowhere'", 'is no address (allowed: a path, "udp://host:514", "tcp://host:514")'),
        ("address = 'udp://host'", 'is no address (allowed: "host:port")'),
        ("facility = 'local9'", "is not allowed (allowed: 'kern', "),
        ("priority = 'loud'", "is not allowed (allowed: 'emerg', "),
    ],
)
def test_mistakes_are_named(kahi: Callable[..., object], tmp_path: Path, table: str, message: str) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text(f"[supervisor.syslog]\n{table}\n")
    done = kahi("check", "-c", str(config))
    assert f"{config}:2: [supervisor] syslog.{table.split()[0]}: {message}" in done.stderr  # type: ignore[attr-defined]
