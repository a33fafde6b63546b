"""Event listeners, through the real program and with real listeners."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kahi_api.client import ApiError
from tests.support import ROOT, Daemon, eventually, lives, steadily

Start = Callable[..., Daemon]
RECORDER = ROOT / "tests" / "e2e" / "recording_listener.py"
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def listener(name: str, events: str, *rules: str, extra: str = "") -> str:
    """The table of a recording listener that writes to NAME.events."""
    command = [sys.executable, str(RECORDER), f"%(here)s/{name}.events", *rules]
    return f"[eventlisteners.{name}]\ncommand = {json.dumps(command)}\nevents = {events}\n{extra}\n"


class Record:
    """What a recording listener got."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self.file = daemon.directory / f"{name}.events"
        self.go = daemon.directory / f"{name}.events.go"

    def all(self) -> list[tuple[dict[str, str], str]]:
        """Headers and payloads."""
        if not self.file.exists():
            return []
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [(dict(word.split(":") for word in head.split()), payload) for head, payload in lines]

    def named(self, word: str) -> list[str]:
        """Payloads of the events whose name or payload holds ``word``."""
        return [payload for head, payload in self.all() if word in head["eventname"] or word in payload]

    def wait(self, word: str, count: int = 1) -> list[str]:
        """The same, once there are so many."""
        eventually(lambda: len(self.named(word)) >= count, f"{count} events with {word}")
        return self.named(word)


def test_a_listener_sees_programs_start_and_stop(daemon: Start) -> None:
    running = daemon(
        listener("rec", '["process_state", "SUPERVISOR_STATE_CHANGE"]', extra="buffer_size = 50")
        + f"[programs.web]\n{SLEEPER}\n[programs.once]\ncommand = 'true'\noneshot = true\n"
    )
    record = Record(running, "rec")
    record.wait("processname:web groupname:web from_state:STARTING")
    pid = running.process("web").pid
    assert running.terminate() == 0
    web = record.named("processname:web")
    assert web == [
        "processname:web groupname:web from_state:STOPPED tries:0",
        f"processname:web groupname:web from_state:STARTING pid:{pid}",
        f"processname:web groupname:web from_state:RUNNING pid:{pid}",
        f"processname:web groupname:web from_state:STOPPING pid:{pid}",
    ]
    names = [head["eventname"] for head, _ in record.all()]
    assert names.count("SUPERVISOR_STATE_CHANGE_RUNNING") == 1
    assert names.count("SUPERVISOR_STATE_CHANGE_STOPPING") == 1
    heads = [head for head, _ in record.all()]
    assert [int(head["poolserial"]) for head in heads] == list(range(len(heads)))
    assert {(head["ver"], head["server"], head["pool"]) for head in heads} == {("3.0", "kahi", "rec")}


def test_the_protocol_is_not_logged_but_stderr_is(daemon: Start) -> None:
    running = daemon(listener("rec", '["PROCESS_STATE"]') + f"[programs.web]\n{SLEEPER}\n")
    Record(running, "rec").wait("processname:web", 2)
    eventually(lambda: "begins" in running.output, "stderr is on the console")
    assert "READY" not in running.output
    assert "READY" in running.ctl("tail", "rec").stdout


def test_each_event_goes_to_one_of_the_pool(daemon: Start) -> None:
    running = daemon(listener("rec", '["REMOTE_COMMUNICATION"]', extra="numprocs = 3\nbuffer_size = 100"))
    for number in range(3):
        running.wait_for(f"rec_{number}", "RUNNING")
    with running.client() as client:
        for number in range(60):
            client.send_event("count", str(number))
    record = Record(running, "rec")
    payloads = record.wait("type:count", 60)
    assert sorted(payloads) == sorted(f"type:count\n{number}" for number in range(60))


@pytest.mark.parametrize("word", ["fail", "odd"])
def test_a_refused_event_comes_again(daemon: Start, word: str) -> None:
    running = daemon(listener("rec", '["REMOTE_COMMUNICATION"]', word, "type:first"))
    record = Record(running, "rec")
    with running.client() as client:
        client.send_event("first", "a")
        client.send_event("second", "b")
    record.wait("type:first", 2)
    record.wait("type:second")
    (first, head), *_ = [(payload, head) for head, payload in record.all() if "first" in payload]
    assert record.all().count((head, first)) == 2
    assert "rec: refused event" in running.output


@pytest.mark.fault("W4")
def test_one_that_never_answers_hurts_nobody(daemon: Start) -> None:
    running = daemon(
        listener("hung", '["PROCESS_STATE"]', "hang", "PROCESS_STATE", extra="stopwaitsecs = 1")
        + listener("good", '["PROCESS_STATE"]', extra="buffer_size = 100")
        + f"[programs.web]\n{SLEEPER}\n"
    )
    record = Record(running, "good")
    for _ in range(5):
        running.ctl("restart", "web")
    record.wait("processname:web", 20)
    eventually(lambda: "hung: no listener is ready" in running.output, "the overflow is told")
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 5
    assert record.named("processname:web")[-1].startswith("processname:web groupname:web from_state:STOPPING")


@pytest.mark.fault("W4")
def test_the_event_of_a_listener_that_dies_is_not_lost(daemon: Start) -> None:
    running = daemon(listener("rec", '["REMOTE_COMMUNICATION"]', "wait", "type:hard"))
    record = Record(running, "rec")
    with running.client() as client:
        client.send_event("hard", "work")
        record.wait("type:hard")
        running.wait_for("rec", "RUNNING")
        os.kill(running.process("rec").pid, signal.SIGKILL)
        record.wait("type:hard", 2)
        record.go.touch()
        client.send_event("easy")
    record.wait("type:easy")
    assert len(record.named("type:hard")) == 2
    assert running.process("rec").restarts == 1


@pytest.mark.fault("W4")
def test_a_violation_of_the_protocol_restarts_the_listener_but_not_in_a_hot_loop(daemon: Start) -> None:
    running = daemon(listener("bad", '["PROCESS_STATE"]', "babble", "now") + f"[programs.web]\n{SLEEPER}\n")
    eventually(lambda: running.process("bad").restarts >= 2, "it is restarted")
    running.says("bad: restarted: broke the listener protocol: it said 'hello")
    starts = running.output.count("begins")
    time.sleep(1.5)
    assert running.output.count("begins") - starts <= 2
    assert running.ctl("stop", "bad").stdout == "bad: stopped\n"
    steadily(lambda: running.process("bad").state == "STOPPED", "it stays STOPPED")


@pytest.mark.parametrize("rule", ["any-exited", "any-fatal", "all-exited"])
def test_a_listener_that_dies_does_not_end_the_daemon(daemon: Start, rule: str) -> None:
    running = daemon(
        f'[supervisor]\nexit_when = "{rule}"\n[eventlisteners.lost]\ncommand = "/nowhere"\n'
        'events = ["TICK_3600"]\n[eventlisteners.ends]\ncommand = "sleep 1.5"\nevents = ["TICK_3600"]\n'
        f"autorestart = false\n[programs.web]\n{SLEEPER}\n"
    )
    running.wait_for("lost", "FATAL")
    running.wait_for("ends", "EXITED")
    assert running.process("web").state == "RUNNING"


def test_an_event_that_breaks_its_listener_is_offered_again(daemon: Start) -> None:
    running = daemon(listener("bad", '["REMOTE_COMMUNICATION"]', "babble", "type:odd"))
    with running.client() as client:
        client.send_event("odd")
    Record(running, "bad").wait("type:odd", 2)
    assert running.process("bad").restarts >= 1


@pytest.mark.fault("W4")
def test_a_burst_drops_the_oldest_counts_them_and_says_so_once(daemon: Start) -> None:
    running = daemon(
        listener("slow", '["REMOTE_COMMUNICATION"]', "wait", "type:count", extra="buffer_size = 10")
        + listener("watch", '["EVENT_BUFFER_OVERFLOW"]')
    )
    record = Record(running, "slow")
    for name in ("slow", "watch"):
        running.wait_for(name, "RUNNING")
    with running.client() as client:
        client.send_event("count", "0")
        record.wait("type:count")
        for number in range(1, 101):
            client.send_event("count", str(number))
    record.go.touch()
    record.wait("type:count", 11)
    assert record.named("type:count") == [f"type:count\n{n}" for n in (0, *range(91, 101))]
    (told,) = Record(running, "watch").wait("pool:slow")
    assert told.startswith("pool:slow lost:")
    assert running.output.count("slow: no listener is ready") == 1
    eventually(lambda: "slow: caught up; 90 events gave way" in running.output, "the total is told")


def test_ticks_come_only_to_those_who_want_them(daemon: Start) -> None:
    running = daemon(listener("clock", '["TICK_5"]') + listener("other", '["TICK_3600"]'))
    (payload,) = Record(running, "clock").wait("when:")[:1]
    when = int(payload.removeprefix("when:"))
    assert when % 5 == 0
    assert abs(time.time() - when) < 10
    assert Record(running, "other").all() == []


def test_a_message_reaches_listeners_and_nobody_can_forge_a_header(daemon: Start) -> None:
    running = daemon(listener("rec", '["REMOTE_COMMUNICATION"]'))
    with running.client() as client:
        assert client.send_event("deploy", "v2\nd\xe5ta") > 0
        for kind in ("", "a b", "a\nb", "a:b", "x" * 129):
            with pytest.raises(ApiError) as error:
                client.send_event(kind)
            assert error.value.status in (400, 422)
    record = Record(running, "rec")
    assert record.wait("type:deploy") == ["type:deploy\nv2\nd\xe5ta"]


def test_a_reload_changes_what_listeners_get_without_a_restart(daemon: Start) -> None:
    running = daemon(listener("rec", '["TICK_3600"]'))
    running.wait_for("rec", "RUNNING")
    pid = running.process("rec").pid
    running.write_config(listener("rec", '["REMOTE_COMMUNICATION"]', extra="buffer_size = 3"))
    with running.client() as client:
        assert list(client.update().changed) == ["rec"]
        client.send_event("now")
    record = Record(running, "rec")
    record.wait("type:now")
    assert running.process("rec").pid == pid
    running.write_config(listener("new", '["PROCESS_GROUP_REMOVED", "PROCESS_GROUP_ADDED"]'))
    with running.client() as client:
        client.update()
    eventually(lambda: not lives(pid), "the old listener is gone")
    running.write_config(listener("new", '["PROCESS_GROUP"]') + f"[programs.web]\n{SLEEPER}\n")
    with running.client() as client:
        client.update()
    assert Record(running, "new").wait("groupname:web") == ["groupname:web\n"]


def test_listeners_start_first_and_stop_last(daemon: Start) -> None:
    running = daemon(
        listener("zzz", '["PROCESS_STATE"]', extra="buffer_size = 50")
        + f"[programs.aaa]\n{SLEEPER}\npriority = 0\n"
    )
    record = Record(running, "zzz")
    record.wait("processname:aaa", 2)
    pids = {process.name: process.pid for process in running.processes().values()}
    assert pids["zzz"] < pids["aaa"]
    with running.client() as client:
        assert {group.name: group.priority for group in client.groups()} == {"aaa": 0, "zzz": -1}
    running.terminate()
    assert record.named("from_state:STOPPING") == [
        f"processname:aaa groupname:aaa from_state:STOPPING pid:{pids['aaa']}"
    ]


def test_the_example_of_the_documents_works(daemon: Start, short_tmp: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "event-listeners.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    (short_tmp / "watch.py").write_text(code)
    running = daemon(
        f'[eventlisteners.watch]\ncommand = "{sys.executable} watch.py"\nevents = ["process_state"]\n'
        f"[programs.web]\n{SLEEPER}\n"
    )
    said = "PROCESS_STATE_RUNNING processname:web groupname:web from_state:STARTING pid:"
    eventually(lambda: said in running.output, "it tells")
    assert running.process("watch").restarts == 0


class _Mail(socketserver.StreamRequestHandler):
    """As much of a mail server as smtplib needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (text := self.rfile.readline()) not in (b".\r\n", b""):
                    self.server.mail += text  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 fine\r\n")
            if command == b"QUIT":
                return


@pytest.fixture
def mail_server() -> Iterator[socketserver.ThreadingTCPServer]:
    """A mail server whose ``mail`` is what came in."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail) as server:
        server.daemon_threads = True
        server.mail = b""  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def superlance(name: str, program: str, *arguments: str, events: str) -> str:
    """The table of a listener of superlance, run as its installed script would."""
    code = f"import sys; from superlance.{program} import main; sys.exit(main())"
    return f"[eventlisteners.{name}]\ncommand = {json.dumps([sys.executable, '-c', code, *arguments])}\nevents = {events}\n"


def test_crashmail_of_superlance_runs_unchanged(daemon: Start, short_tmp: Path) -> None:
    sendmail = f"{sys.executable} -c \"import sys; open('{short_tmp}/mail','a').write(sys.stdin.read())\""
    running = daemon(
        superlance(
            "crashmail",
            "crashmail",
            "-a",
            "-s",
            sendmail,
            "-m",
            "ops@example.com",
            events='["PROCESS_STATE_EXITED"]',
        )
        + '[programs.fine]\ncommand = "sleep 1.2"\nautorestart = false\n'
        + '[programs.crash]\ncommand = ["sh", "-c", "sleep 1.2; exit 7"]\nautorestart = false\n'
    )
    running.wait_for("crash", "EXITED")
    mail = short_tmp / "mail"
    eventually(lambda: mail.exists() and "exited unexpectedly" in mail.read_text(), "the mail is sent")
    text = mail.read_text()
    assert "To: ops@example.com\n" in text
    assert "Process crash in group crash exited unexpectedly (pid " in text
    assert "from state RUNNING" in text
    assert "fine" not in text
    running.wait_for("crashmail", "RUNNING")
    assert running.process("crashmail").restarts == 0


def test_fatalmailbatch_of_superlance_runs_unchanged(
    daemon: Start, mail_server: socketserver.ThreadingTCPServer
) -> None:
    host, port = mail_server.server_address[:2]
    running = daemon(
        superlance(
            "fatalmail",
            "fatalmailbatch",
            "--toEmail=ops@example.com",
            "--fromEmail=kahi@example.com",
            f"--smtpHost={host}:{port}",
            "--tickEvent=TICK_5",
            "--interval=0.05",
            events='["PROCESS_STATE", "TICK_5"]',
        )
        + '[programs.lost]\ncommand = "/nowhere"\n'
    )
    running.wait_for("lost", "FATAL")
    eventually(lambda: b"failed to start too many times" in mail_server.mail, "the mail is sent")  # type: ignore[attr-defined]
    assert b"Process lost:lost failed to start" in mail_server.mail  # type: ignore[attr-defined]
    assert running.process("fatalmail").restarts == 0
