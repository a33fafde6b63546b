"""Health checks, through the real program."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_listeners import Record, listener
from tests.support import ROOT, Daemon, children_of, eventually, install_plugin, lives, python, steadily

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, body = open(sys.argv[2]).read().split(maxsplit=1)
        except OSError:
            status, body = 200, "all is well"
        self.send_response(int(status))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

NOTIFIER = """
import os, signal, socket, sys, time
where = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(*lines):
    where.sendto(chr(10).join(lines).encode(), os.environ["NOTIFY_SOCKET"])
"""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def checked(name: str, health: str, program: str = SLEEPER, extra: str = "") -> str:
    """A program with a health table."""
    return f"[programs.{name}]\n{program}\n{extra}\n[programs.{name}.health]\n{health}\n"


def server(port: int, directory: Path) -> str:
    """A web server that answers what the file ``answer`` says."""
    return f"command = {json.dumps([sys.executable, '-c', SERVER, str(port), str(directory / 'answer')])}\n"


def shell(script: str) -> str:
    """An exec check that is a script."""
    return f"exec = {json.dumps(['sh', '-c', script.replace('$', '$$')])}"


def fails_when(path: Path) -> str:
    """An exec check that fails while a file is there."""
    return shell(f"if test -e {path}; then echo {path.name} is there; exit 9; fi")


def on_system(variant: str) -> dict[str, Any]:
    """How to start a daemon on a system that lacks something, "" for this one."""
    program = [sys.executable, "-m", "tests.e2e.other_systems", variant]
    return {"program": program, "environ": {"PYTHONPATH": str(ROOT)}} if variant else {}


def wait_for_health(running: Daemon, name: str, health: str) -> None:
    """Return once the process is in that health."""
    eventually(lambda: running.process(name).health == health, f"{name} is {health}")


def test_without_a_health_table_a_process_that_runs_is_ready(daemon: Start) -> None:
    running = daemon(f"[programs.web]\n{SLEEPER}\n")
    process = running.wait_for("web", "RUNNING")
    assert (process.health, process.ready) == ("none", True)


def test_http_is_healthy_with_2xx_and_3xx_only(daemon: Start, short_tmp: Path) -> None:
    port = free_port()
    answer = short_tmp / "answer"
    answer.write_text("500 broken")
    health = f'http = "http://127.0.0.1:{port}/health?x=1"\ninterval = 0.2\nretries = 2\non_failure = "none"\nstart_period = 60'
    running = daemon(checked("web", health, server(port, short_tmp)))
    running.wait_for("web", "RUNNING")
    eventually(lambda: "answered 500" in running.process("web").description, "the failure is told")
    process = running.process("web")
    assert (process.health, process.ready, process.state) == ("starting", False, "RUNNING")
    for status, health in (
        ("204", "healthy"),
        ("404", "unhealthy"),
        ("302", "healthy"),
        ("503", "unhealthy"),
    ):
        answer.write_text(f"{status} x")
        wait_for_health(running, "web", health)
        assert running.process("web").ready == (health == "healthy")
    assert "unhealthy: answered 503 Service Unavailable" in running.process("web").description
    assert running.process("web").restarts == 0


def test_http_may_expect_a_text(daemon: Start, short_tmp: Path) -> None:
    port = free_port()
    answer = short_tmp / "answer"
    answer.write_text("200 all is well")
    health = f'http = "http://localhost:{port}"\nexpect = "is well"\ninterval = 0.2\nretries = 1\non_failure = "none"'
    running = daemon(checked("web", health, server(port, short_tmp)))
    wait_for_health(running, "web", "healthy")
    answer.write_text("200 all is bad")
    wait_for_health(running, "web", "unhealthy")
    assert "the answer does not hold 'is well'" in running.process("web").description


def test_tcp_is_healthy_while_somebody_listens(daemon: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        running = daemon(
            checked("db", f'tcp = "127.0.0.1:{port}"\ninterval = 0.2\nretries = 2\non_failure = "none"')
        )
        wait_for_health(running, "db", "healthy")
    wait_for_health(running, "db", "unhealthy")
    assert "connection refused" in running.process("db").description


def test_exec_runs_as_the_process_does(daemon: Start, short_tmp: Path) -> None:
    (short_tmp / "place").mkdir()
    running = daemon(
        checked(
            "web",
            "exec = ['sh', '-c', 'test \"$COLOUR\" = red && test \"$(basename $PWD)\" = place']\ninterval = 0.2",
            extra=f'directory = "{short_tmp}/place"\nenvironment = {{ COLOUR = "red" }}',
        )
    )
    wait_for_health(running, "web", "healthy")


@pytest.mark.needs_root
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="needs a Python that everybody can run")
def test_checks_and_notifications_of_another_user(daemon: Start, short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    who = shell('test "$(id -un)" = nobody')
    program = python(NOTIFIER + "say('READY=1')\ntime.sleep(3600)\n").replace(
        sys.executable, "/usr/bin/python3"
    )
    running = daemon(
        checked("asked", f"{who}\ninterval = 0.5", extra='user = "nobody"')
        + checked("tells", "notify = true", program, extra='user = "nobody"')
    )
    wait_for_health(running, "asked", "healthy")
    wait_for_health(running, "tells", "healthy")


def test_exec_tells_how_it_failed(daemon: Start, short_tmp: Path) -> None:
    flag = short_tmp / "flag"
    running = daemon(
        checked("web", f'{fails_when(flag)}\ninterval = 0.2\nretries = 1\non_failure = "none"')
        + checked("none", 'exec = ["/nowhere"]\ninterval = 0.2\nretries = 1\non_failure = "none"')
    )
    wait_for_health(running, "web", "healthy")
    flag.touch()
    wait_for_health(running, "web", "unhealthy")
    assert running.process("web").description.endswith("unhealthy: exit status 9: flag is there")
    wait_for_health(running, "none", "unhealthy")
    assert "cannot run /nowhere: No such file or directory" in running.process("none").description


@pytest.mark.parametrize("variant", ["", "old-kernel", "mac-like"])
def test_a_check_that_hangs_is_killed_with_all_its_children(
    daemon: Start, short_tmp: Path, variant: str
) -> None:
    pids = short_tmp / "pids"
    script = f"sleep 3600 & echo $! >> {pids}; echo $$ >> {pids}; wait"
    running = daemon(
        ("" if variant == "mac-like" else "[supervisor]\nsubreaper = true\n")
        + checked(
            "web",
            f'{shell(script)}\ninterval = 0.2\ntimeout = 0.5\nretries = 2\non_failure = "none"',
        ),
        **on_system(variant),
    )
    wait_for_health(running, "web", "unhealthy")
    assert "no answer within 0.5 s" in running.process("web").description
    running.ctl("stop", "web")
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) >= 4
    eventually(lambda: not any(lives(pid) for pid in found), "nothing is left")
    eventually(lambda: not children_of(running.pid), "everything is reaped")


def test_what_a_check_leaves_behind_is_ended_and_much_output_does_no_harm(
    daemon: Start, short_tmp: Path
) -> None:
    pids = short_tmp / "pids"
    script = f"sleep 3600 & echo $! >> {pids}; head -c 3000000 /dev/zero"
    running = daemon(checked("web", f"{shell(script)}\ninterval = 0.3"))
    wait_for_health(running, "web", "healthy")
    eventually(lambda: len(pids.read_text().split()) >= 3, "three checks")
    running.ctl("stop", "web")
    assert running.process("web").health == "none"
    found = [int(line) for line in pids.read_text().split()]
    eventually(lambda: not any(lives(pid) for pid in found), "nothing is left")


@pytest.mark.parametrize("variant", ["", "mac-like"])
def test_a_process_is_ready_when_it_says_so(daemon: Start, short_tmp: Path, variant: str) -> None:
    gate = short_tmp / "gate"
    code = NOTIFIER + (
        "say('STATUS=loading', 'MAINPID=1', 'RELOADING=1')\n"
        f"while not os.path.exists('{gate}'): time.sleep(0.02)\n"
        "say('READY=1', 'STATUS=serving 5 users')\n"
        "time.sleep(3600)\n"
    )
    running = daemon(checked("web", "notify = true", python(code) + "\nstartsecs = 0"), **on_system(variant))
    eventually(lambda: running.process("web").description.endswith("loading"), "its status is shown")
    assert (running.process("web").health, running.process("web").ready) == ("starting", False)
    gate.touch()
    wait_for_health(running, "web", "healthy")
    assert running.process("web").description.endswith(", serving 5 users")


def test_one_that_never_gets_ready_is_restarted(daemon: Start) -> None:
    running = daemon(checked("web", "notify = true\ninterval = 0.2\nretries = 2\nstart_period = 0.2"))
    eventually(lambda: running.process("web").restarts >= 1, "it is restarted")
    running.says("web: restarted: unhealthy: it has not said READY=1")


def test_a_watchdog_that_is_not_served_expires(daemon: Start) -> None:
    code = NOTIFIER + (
        "period = int(os.environ['WATCHDOG_USEC']) / 1e6\n"
        "assert period == 1 and 'WATCHDOG_PID' not in os.environ\n"
        "say('READY=1')\n"
        "for _ in range(10):\n    say('WATCHDOG=1')\n    time.sleep(period / 4)\n"
        "print('hangs')\n"
        "time.sleep(3600)\n"
    )
    running = daemon(
        checked("web", "notify = true\ninterval = 1\nretries = 2\nstart_period = 20", python(code)),
        environ={"WATCHDOG_PID": "1"},
    )
    eventually(lambda: running.process("web").restarts == 1, "it is restarted")
    told = re.search(r"web: unhealthy: no WATCHDOG=1 for (\d)", running.says("no WATCHDOG=1 for "))
    assert told is not None
    assert int(told[1]) >= 2
    assert 0 < running.says("hangs").index("hangs") < told.start()


def test_a_process_can_trigger_its_own_watchdog(daemon: Start) -> None:
    code = NOTIFIER + "say('READY=1')\nsay('WATCHDOG=trigger')\ntime.sleep(3600)\n"
    running = daemon(checked("web", 'notify = true\non_failure = "none"', python(code)))
    wait_for_health(running, "web", "unhealthy")
    assert "it triggered its watchdog" in running.process("web").description


def test_only_the_process_and_its_group_may_speak(daemon: Start, short_tmp: Path) -> None:
    where = short_tmp / "where"
    code = NOTIFIER + (
        "import subprocess\n"
        f"open('{where}', 'w').write(os.environ['NOTIFY_SOCKET'])\n"
        f"while not os.path.exists('{short_tmp}/gate'): time.sleep(0.02)\n"
        "subprocess.run([sys.executable, '-c', 'import os, socket, time; "
        "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(bytes([82,69,65,68,89,61,49]), "
        'os.environ["NOTIFY_SOCKET"]); time.sleep(0.5)\'])\n'
        "time.sleep(3600)\n"
    )
    running = daemon(checked("web", "notify = true", python(code)))
    eventually(lambda: where.exists() and where.read_text(), "it is up")
    path = where.read_text()
    assert os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"READY=1", path)
        stranger.sendto(b"READY=1", path)
    eventually(lambda: "a notification was ignored" in running.output, "it is told")
    assert running.output.count("a notification was ignored") == 1
    assert running.process("web").health == "starting"
    (short_tmp / "gate").touch()
    wait_for_health(running, "web", "healthy")
    running.terminate()
    assert not os.path.exists(os.path.dirname(path))


def test_the_example_of_the_documents_works(daemon: Start) -> None:
    text = (ROOT / "docs" / "how-to" / "health-checks.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    running = daemon(checked("web", "notify = true\ninterval = 2", python(code)))
    wait_for_health(running, "web", "healthy")
    assert running.process("web").description.endswith("serving")


def test_descriptors_that_come_with_a_message_are_closed(daemon: Start) -> None:
    """`systemd-notify` waits for that, and nobody can fill the daemon with descriptors."""
    code = NOTIFIER + (
        "read_end, write_end = os.pipe()\n"
        "where.connect(os.environ['NOTIFY_SOCKET'])\n"
        "for _ in range(20):\n    socket.send_fds(where, [b'BARRIER=1'], [write_end] * 50)\n"
        "os.close(write_end)\n"
        "os.read(read_end, 1)\n"
        "say('READY=1')\n"
        "time.sleep(3600)\n"
    )
    running = daemon(checked("web", "notify = true", python(code)))
    wait_for_health(running, "web", "healthy")
    assert len(os.listdir(f"/proc/{running.pid}/fd")) < 60


def test_on_failure_restart_counts_and_does_not_loop_hot(daemon: Start, short_tmp: Path) -> None:
    flag = short_tmp / "flag"
    running = daemon(checked("web", f"{fails_when(flag)}\ninterval = 0.1\nretries = 1"))
    wait_for_health(running, "web", "healthy")
    first = running.process("web")
    flag.touch()
    eventually(lambda: running.process("web").restarts == 1, "it is restarted")
    time.sleep(4)
    assert running.process("web").restarts <= 4
    assert running.output.count("web: restarted: unhealthy: exit status 9: flag is there") <= 4
    flag.unlink()
    wait_for_health(running, "web", "healthy")
    assert running.process("web").pid != first.pid
    assert not lives(first.pid)


def test_a_stop_calls_off_the_restart_of_an_unhealthy_process(daemon: Start, short_tmp: Path) -> None:
    running = daemon(checked("web", 'exec = ["false"]\ninterval = 0.1\nretries = 1'))
    eventually(lambda: running.process("web").restarts >= 2, "it is restarted")
    eventually(lambda: running.process("web").state == "STOPPED", "it waits for its restart")
    assert running.process("web").description == "restarts: unhealthy: exit status 1"
    assert running.ctl("stop", "web").stdout == "web: stopped\n"
    restarts = running.process("web").restarts
    steadily(
        lambda: (running.process("web").state, running.process("web").restarts) == ("STOPPED", restarts),
        "it stays STOPPED",
        2.5,
    )
    assert running.ctl("start", "web").returncode == 0


def test_on_failure_may_send_a_signal(daemon: Start, short_tmp: Path) -> None:
    flag, seen = short_tmp / "flag", short_tmp / "seen"
    code = (
        "import signal, time\n"
        f"signal.signal(signal.SIGHUP, lambda *_: open('{seen}', 'a').write('HUP '))\n"
        "while True: time.sleep(1)\n"
    )
    health = f'{fails_when(flag)}\ninterval = 0.1\nretries = 2\non_failure = "signal:HUP"'
    running = daemon(checked("web", health, python(code)))
    running.wait_for("web", "RUNNING")
    pid = running.process("web").pid
    flag.touch()
    eventually(lambda: seen.exists() and seen.read_text(), "the signal came")
    steadily(lambda: seen.read_text() == "HUP ", "one signal")
    flag.unlink()
    wait_for_health(running, "web", "healthy")
    flag.touch()
    eventually(lambda: seen.read_text() == "HUP HUP ", "once each time")
    assert running.process("web").pid == pid


def test_a_dependant_waits_until_what_it_needs_is_healthy(daemon: Start, short_tmp: Path) -> None:
    gate = short_tmp / "gate"
    running = daemon(
        checked("db", f"{shell(f'test -e {gate}')}\ninterval = 0.2\nstart_period = 60")
        + f'[programs.web]\n{SLEEPER}\ndepends_on = {{ db = "healthy" }}\n'
    )
    running.wait_for("db", "RUNNING")
    assert running.process("web").description == "waits for db to be healthy"
    gate.touch()
    running.wait_for("web", "RUNNING")


def test_readiness_counts_health(daemon: Start, short_tmp: Path) -> None:
    flag = short_tmp / "flag"
    flag.touch()
    running = daemon(
        checked(
            "web", f'{fails_when(flag)}\ninterval = 0.2\nretries = 1\nstart_period = 60\non_failure = "none"'
        )
        + checked("bad", 'exec = ["false"]\ninterval = 0.1\nretries = 1\non_failure = "none"')
        + f"[programs.plain]\n{SLEEPER}\n"
    )
    wait_for_health(running, "bad", "unhealthy")
    running.wait_for("plain", "RUNNING")
    with running.client() as client:
        found = client.ready()
        assert (found.ready, list(found.pending), list(found.failing)) == (False, ["web"], ["bad"])
        assert client.ready(["plain"]).ready
        flag.unlink()
        wait_for_health(running, "web", "healthy")
        assert client.ready(["plain", "web"]).ready
    assert running.ctl("ready", "--process", "web").returncode == 0
    assert running.ctl("ready", "--process", "web,bad").returncode == 1


def test_listeners_are_told_of_health(daemon: Start, short_tmp: Path) -> None:
    flag = short_tmp / "flag"
    running = daemon(
        listener("rec", '["process_health"]')
        + checked("web", f'{fails_when(flag)}\ninterval = 0.2\nretries = 2\non_failure = "none"')
    )
    record = Record(running, "rec")
    record.wait("PROCESS_HEALTH_HEALTHY")
    flag.touch()
    record.wait("PROCESS_HEALTH_UNHEALTHY")
    flag.unlink()
    record.wait("PROCESS_HEALTH_HEALTHY", 2)
    assert record.named("PROCESS_HEALTH") == [
        "processname:web groupname:web healthy:1 reason:",
        "processname:web groupname:web healthy:0 reason:exit%20status%209%3A%20flag%20is%20there",
        "processname:web groupname:web healthy:1 reason:",
    ]


def test_a_reload_changes_the_health_table_while_the_process_goes_on(daemon: Start, short_tmp: Path) -> None:
    flag = short_tmp / "flag"
    flag.touch()
    running = daemon(checked("web", f'{fails_when(flag)}\ninterval = 0.2\nretries = 1\non_failure = "none"'))
    wait_for_health(running, "web", "unhealthy")
    pid = running.process("web").pid

    def reload(toml: str) -> None:
        running.write_config(toml)
        with running.client() as client:
            client.update()

    reload(checked("web", 'exec = ["true"]\ninterval = 0.2'))
    wait_for_health(running, "web", "healthy")
    reload(checked("web", 'exec = ["true"]\ninterval = 30\nretries = 7'))
    assert running.process("web").health == "healthy"
    reload(f"[programs.web]\n{SLEEPER}\n")
    assert running.process("web").health == "none"
    assert running.process("web").ready
    reload(checked("web", 'exec = ["false"]\ninterval = 0.1\nretries = 1\non_failure = "none"'))
    wait_for_health(running, "web", "unhealthy")
    assert running.process("web").pid == pid
    # Where to tell it stands in its environment: only this needs a restart.
    reload(checked("web", "notify = true"))
    eventually(lambda: running.process("web").pid not in (0, pid), "it is restarted")
    assert running.process("web").health == "starting"


def test_plugins_bring_kinds_of_checks(
    daemon: Start, short_tmp: Path, kahi: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    flag = short_tmp / "flag"
    environ = install_plugin(
        short_tmp,
        "filecheck",
        "import os\n"
        "from kahi.hookspecs import CheckFailed, hookimpl\n"
        "class FileCheck:\n"
        "    def __init__(self, value):\n"
        "        if not isinstance(value, str): raise ValueError('is no path')\n"
        "        self.path = value\n"
        "    async def check(self, process):\n"
        "        if os.path.exists(self.path + '.bug'): raise ZeroDivisionError(process.name)\n"
        "        if os.path.exists(self.path): raise CheckFailed('it is there')\n"
        "@hookimpl\n"
        "def kahi_health_checks():\n"
        "    return {'file': FileCheck}\n",
    )
    health = 'file = "%(here)s/flag"\ninterval = 0.2\nretries = 1\non_failure = "none"'
    running = daemon(checked("web", health), environ=environ)
    wait_for_health(running, "web", "healthy")
    flag.touch()
    wait_for_health(running, "web", "unhealthy")
    assert running.process("web").description.endswith("unhealthy: it is there")
    flag.unlink()
    wait_for_health(running, "web", "healthy")
    Path(f"{flag}.bug").touch()
    wait_for_health(running, "web", "unhealthy")
    assert "the file check itself failed: ZeroDivisionError" in running.process("web").description
    running.says("filecheck: health check file raised")
    (short_tmp / "bad.toml").write_text(checked("web", "file = 3"))
    done = kahi("check", "-c", str(short_tmp / "bad.toml"), environ=environ)
    assert done.returncode == 1
    assert "bad.toml:6: [programs.web] health.file: is no path" in done.stdout + done.stderr
    unknown = kahi("check", "-c", str(short_tmp / "bad.toml"))
    assert "health: needs one of http, tcp, exec, notify; there is none" in unknown.stdout + unknown.stderr


def test_checks_end_with_the_daemon(daemon: Start, short_tmp: Path) -> None:
    pids = short_tmp / "pids"
    script = f"echo $$ >> {pids}; sleep 3600"
    running = daemon(checked("web", f"{shell(script)}\ntimeout = 60"))
    eventually(lambda: pids.exists() and pids.read_text(), "a check runs")
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 5
    eventually(lambda: not lives(int(pids.read_text().split()[0])), "nothing is left")
