"""Processes, groups, actions and the daemon over the API: every field, every answer, every error."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from kahi_api.objects import GroupObject, OutcomeObject, ProcessObject, ReportObject, VersionObject
from tests.api.raw import connect, exchange, get, post, request, send
from tests.support import Daemon, eventually, lives, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def error(code: str, message: str) -> dict[str, str]:
    """The body that tells of an error."""
    return {"error": message, "code": code}


def check(kind: Any, value: Any) -> Any:
    """``value``, which has the fields and the types that the API promises, and no others."""
    adapter = TypeAdapter(kind)
    adapter.validate_python(value, strict=True)
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        fields = set(ProcessObject.__annotations__) if "statecode" in entry else None
        assert fields in (None, set(entry))
    return value


def test_the_object_of_a_process(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "web.log"
    running = daemon(
        f"[programs.web]\n{SLEEPER}\npriority = 7\nstdout_logfile = '{log}'\nredirect_stderr = true\n"
        f"[programs.spare]\n{SLEEPER}\nautostart = false\ndescription = 'for bad days'\n"
        f"[programs.ended]\n{python('raise SystemExit(3)')}\noneshot = true\nautorestart = false\n"
        "exitcodes = [3]\n[programs.broken]\ncommand = '/nowhere/x'\n"
        f"[groups.site]\nprograms = ['web', 'spare']\n"
    )
    pid = running.wait_for("web", "RUNNING").pid
    running.wait_for("ended", "EXITED")
    running.wait_for("broken", "FATAL")
    status, found = get(running.socket, "/api/v1/processes")
    assert status == 200
    check(list[ProcessObject], found)
    assert [each["name"] for each in found] == ["broken", "ended", "spare", "web"]
    broken, ended, spare, web = found
    assert (web["state"], web["statecode"], web["pid"], web["group"]) == ("RUNNING", 20, pid, "site")
    assert (web["priority"], web["program"], web["ready"], web["health"]) == (7, "web", True, "none")
    assert (web["stdout_logfile"], web["stderr_logfile"], web["restarts"]) == (str(log), "", 0)
    assert MOMENT.fullmatch(web["started_at"])
    assert web["stopped_at"] is None
    assert re.fullmatch(rf"pid {pid}, uptime 0:00:0\d", web["description"])
    assert (spare["state"], spare["pid"], spare["uptime"], spare["started_at"]) == ("STOPPED", 0, 0, None)
    assert spare["description"] == "for bad days"
    assert (ended["exitstatus"], ended["exit_signal"], ended["expected_exit"]) == (3, None, True)
    assert re.match(r"exit status 3, [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d$", ended["description"])
    assert MOMENT.fullmatch(ended["stopped_at"])
    assert broken["spawn_error"] == broken["description"]
    assert broken["spawn_error"] == "cannot run /nowhere/x: No such file or directory"
    assert get(running.socket, "/api/v1/processes/ended") == (200, ended)
    status, killed = post(running.socket, "/api/v1/processes/web/signal", {"signal": "KILL"})
    assert (status, killed["name"]) == (200, "web")
    eventually(lambda: running.process("web").pid not in (0, pid), "it is back")
    web = get(running.socket, "/api/v1/processes/web")[1]
    assert (web["exitstatus"], web["exit_signal"], web["restarts"]) == (137, "SIGKILL", 1)
    post(running.socket, "/api/v1/processes/web/stop")
    web = get(running.socket, "/api/v1/processes/web")[1]
    assert re.match(r"stopped [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d$", web["description"])


def test_filters(daemon: Start) -> None:
    running = daemon(
        f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\nautostart = false\n"
        f"[programs.c]\n{SLEEPER}\n[groups.g]\nprograms = ['a', 'b']\n"
    )
    running.wait_for("a", "RUNNING")
    running.wait_for("c", "RUNNING")

    def names(query: str) -> list[str]:
        status, found = get(running.socket, f"/api/v1/processes?{query}")
        assert status == 200
        return [each["name"] for each in found]

    assert names("group=g") == ["a", "b"]
    assert names("state=RUNNING") == ["a", "c"]
    assert names("state=stopped") == ["b"]
    assert names("group=g&state=RUNNING") == ["a"]
    assert names("group=none") == []
    status, body = get(running.socket, "/api/v1/processes?state=HAPPY")
    assert (status, body["code"]) == (400, "BAD_REQUEST")
    assert body["error"].startswith("state is no state (allowed: STOPPED, STARTING, ")


def test_what_processes_use(daemon: Start) -> None:
    busy = "import threading\nwhile True: pass"
    running = daemon(f"[programs.busy]\n{python(busy)}\nstartsecs = 0\n[programs.idle]\n{SLEEPER}\n")
    running.wait_for("busy", "RUNNING")

    def known() -> Any:
        found = {each["name"]: each for each in get(running.socket, "/api/v1/processes")[1]}
        return found if found["busy"]["memory_bytes"] and found["busy"]["cpu_percent"] else None

    found = eventually(known, "what it uses is known")
    check(list[ProcessObject], list(found.values()))
    assert found["busy"]["memory_bytes"] > 1_000_000
    assert 0 < found["busy"]["cpu_percent"] <= 110
    assert found["idle"]["cpu_percent"] < found["busy"]["cpu_percent"]
    post(running.socket, "/api/v1/processes/busy/stop")
    stopped = get(running.socket, "/api/v1/processes/busy")[1]
    assert (stopped["memory_bytes"], stopped["cpu_percent"]) == (None, None)


def test_operations_on_one(daemon: Start) -> None:
    running = daemon(
        f"[programs.web]\n{SLEEPER}\nautostart = false\n"
        f"[programs.slow]\ncommand = 'sleep 3600'\nstartsecs = 2\nautostart = false\n"
        f"[programs.quick]\n{python('raise SystemExit(4)')}\nautostart = false\nstartsecs = 1\n"
        f"[programs.once]\n{python('pass')}\noneshot = true\nautostart = false\n"
        "[programs.none]\ncommand = '/nowhere/x'\nautostart = false\n"
    )
    place = running.socket
    base = "/api/v1/processes"
    assert post(place, f"{base}/web/stop") == (409, error("CONFLICT", "web: not running"))
    status, body = post(place, f"{base}/web/start")
    assert (status, check(ProcessObject, body)["state"]) == (200, "RUNNING")
    assert post(place, f"{base}/web/start") == (409, error("CONFLICT", "web: already started"))
    status, again = post(place, f"{base}/web/restart")
    assert (status, again["state"]) == (200, "RUNNING")
    assert again["pid"] != body["pid"]
    assert not lives(body["pid"])
    assert post(place, f"{base}/web/stop")[1]["state"] == "STOPPED"
    assert post(place, f"{base}/web/restart")[1]["state"] == "RUNNING", "one that is down is started"

    begin = time.monotonic()
    status, body = post(place, f"{base}/slow/start?wait=false")
    assert (status, body["state"]) == (202, "STARTING")
    assert time.monotonic() - begin < 1.5
    assert post(place, f"{base}/slow/start") == (409, error("CONFLICT", "slow: already started"))
    assert post(place, f"{base}/slow/stop?wait=0")[0] == 202
    running.wait_for("slow", "STOPPED")

    status, body = post(place, f"{base}/quick/start")
    assert (status, body["code"]) == (409, "ABNORMAL_TERMINATION")
    assert "exit status 4" in body["error"]
    assert running.process("quick").state in ("BACKOFF", "STARTING", "FATAL"), "retries go on"
    assert post(place, f"{base}/once/start")[1]["state"] == "EXITED"
    status, body = post(place, f"{base}/none/start")
    assert (status, body) == (
        409,
        error("SPAWN_ERROR", "none: cannot run /nowhere/x: No such file or directory"),
    )
    for word in ("start", "stop", "restart"):
        assert post(place, f"{base}/ghost/{word}") == (404, error("NOT_FOUND", "no such process: ghost"))
        assert post(place, f"{base}/web/{word}?wait=perhaps")[0] == 400
        assert get(place, f"{base}/web/{word}")[1]["code"] == "METHOD_NOT_ALLOWED"


def test_signals(daemon: Start, short_tmp: Path) -> None:
    mark = short_tmp / "mark"
    code = (
        "import signal, sys, time\n"
        f"def note(number, _): open('{mark}', 'a').write(f'{{number}}\\n')\n"
        "signal.signal(signal.SIGHUP, note); signal.signal(signal.SIGUSR1, note); print('up', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    running = daemon(
        f"[programs.a]\n{python(code)}\nstartsecs = 0\n[programs.off]\n{SLEEPER}\nautostart = false\n"
    )
    eventually(lambda: "up" in running.ctl("tail", "a").stdout, "it is up")
    target = "/api/v1/processes/a/signal"
    for number, name in enumerate(("HUP", "SIGHUP", "hup", 1, "1", "USR1")):
        assert post(running.socket, target, {"signal": name})[0] == 200
        eventually(
            lambda count=number + 1: mark.exists() and len(mark.read_text().split()) == count, "it came"
        )
    assert mark.read_text().split() == ["1"] * 5 + [str(int(signal.SIGUSR1))]
    for bad in ("NONE", 0, 999, True, None, "", [], {}):
        status, body = post(running.socket, target, {"signal": bad})
        assert (status, body["code"]) == (400, "BAD_REQUEST"), bad
    assert post(running.socket, target)[0] == 400
    off = post(running.socket, "/api/v1/processes/off/signal", {"signal": "HUP"})
    assert off == (409, error("CONFLICT", "off: not running"))
    assert post(running.socket, "/api/v1/groups/none/signal", {"signal": "HUP"})[0] == 404
    status, outcomes = post(running.socket, "/api/v1/groups/off/signal", {"signal": "HUP"})
    assert (status, outcomes[0]["ok"]) == (200, True), "members that do not run are skipped"


@pytest.mark.fault("P3")
def test_stdin_is_queued_up_to_a_limit(daemon: Start) -> None:
    reader = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)"
    running = daemon(
        f"[programs.cat]\n{python(reader)}\nstartsecs = 0\n[programs.deaf]\n{SLEEPER}\n"
        f"[programs.off]\n{SLEEPER}\nautostart = false\n"
    )
    running.wait_for("cat", "RUNNING")
    running.wait_for("deaf", "RUNNING")

    def write(name: str, **body: Any) -> tuple[int, Any]:
        return post(running.socket, f"/api/v1/processes/{name}/stdin", body)

    assert write("cat", data="hello\n")[0] == 200
    assert write("cat", data_base64="d29ybGQK")[0] == 200
    eventually(lambda: "got hello\ngot world\n" in running.ctl("tail", "cat").stdout, "it was read")
    for bad in (
        {},
        {"data": "x", "data_base64": "eA=="},
        {"data": 1},
        {"data_base64": "!"},
        {"data_base64": "é"},
    ):
        assert write("cat", **bad)[0] == 400
    answers = [write("deaf", data="x" * 200_000)[0] for _ in range(8)]
    assert answers == [200] * 5 + [409] * 3
    assert write("deaf", data="x" * 200_000)[1] == error("STDIN_FULL", "deaf: stdin is full")
    assert write("off", data="x") == (409, error("CONFLICT", "off: not running"))


def test_groups(daemon: Start) -> None:
    toml = (
        f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\nautostart = false\n[programs.c]\n{SLEEPER}\n"
        "[groups.g]\nprograms = ['a', 'b']\npriority = 5\n"
    )
    running = daemon(toml)
    running.wait_for("a", "RUNNING")
    running.wait_for("c", "RUNNING")
    place = running.socket
    status, groups = get(place, "/api/v1/groups")
    assert (status, check(list[GroupObject], groups)) == (
        200,
        [
            {"name": "c", "priority": 999, "processes": ["c"]},
            {"name": "g", "priority": 5, "processes": ["a", "b"]},
        ],
    )
    status, outcomes = post(place, "/api/v1/groups/g/start")
    assert status == 200
    assert [(each["name"], each["ok"], each["state"]) for each in check(list[OutcomeObject], outcomes)] == [
        ("a", True, "RUNNING"),
        ("b", True, "RUNNING"),
    ]
    assert send(place, "DELETE", "/api/v1/groups/g") == (409, error("CONFLICT", "g: still running"))
    assert post(place, "/api/v1/groups/g/restart?wait=false")[0] == 202
    eventually(lambda: running.process("b").state == "RUNNING", "it is back")
    assert post(place, "/api/v1/groups/g/stop")[0] == 200
    assert send(place, "DELETE", "/api/v1/groups/g") == (200, {"name": "g"})
    assert send(place, "DELETE", "/api/v1/groups/g") == (404, error("NOT_FOUND", "no such group: g"))
    assert get(place, "/api/v1/processes/a")[0] == 404
    assert post(place, "/api/v1/groups", {"name": "g"}) == (201, {"name": "g"})
    assert post(place, "/api/v1/groups", {"name": "g"}) == (409, error("CONFLICT", "g: already added"))
    assert post(place, "/api/v1/groups", {"name": "x"}) == (404, error("NOT_FOUND", "no such group: x"))
    assert post(place, "/api/v1/groups", {"name": 5})[0] == 400
    assert post(place, "/api/v1/groups", {})[0] == 400


def test_actions(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.w]\n{SLEEPER}\nnumprocs = 3\nautostart = false\n"
        f"[programs.talker]\n{python('print(1); import time; time.sleep(3600)')}\nstartsecs = 0\n"
        f"stdout_logfile = '{log}'\n[programs.none]\ncommand = '/nowhere/x'\nautostart = false\n"
    )

    def act(action: str, *targets: str, **more: Any) -> tuple[int, Any]:
        return post(running.socket, "/api/v1/actions", {"action": action, "targets": targets, **more})

    status, outcomes = act("start", "w_0", "w:w_1")
    assert [(each["name"], each["ok"], each["state"], each["error"]) for each in outcomes] == [
        ("w_0", True, "RUNNING", ""),
        ("w_1", True, "RUNNING", ""),
    ]
    check(list[OutcomeObject], outcomes)
    assert act("start", "w_0")[1] == [
        {"name": "w_0", "ok": False, "state": "RUNNING", "error": "already started", "code": "CONFLICT"}
    ]
    assert all(each["ok"] for each in act("start", "w:*")[1])
    assert [each["name"] for each in act("signal", "w_[01]", signal="CONT")[1]] == ["w_0", "w_1"]
    failed = act("start", "none", "w:*")[1]
    assert [each["ok"] for each in failed] == [False, True, True, True]
    assert failed[0]["code"] == "SPAWN_ERROR"
    eventually(lambda: log.read_text() == "1\n", "it is logged")
    assert act("clear", "talker")[1][0]["ok"]
    assert log.read_text() == ""
    assert all(each["ok"] for each in act("stop", "all")[1])
    assert {each.state for each in running.processes().values()} <= {"STOPPED", "FATAL"}
    assert act("start", "nobody") == (404, error("NOT_FOUND", "no such process: nobody"))
    assert act("start", "nobody:*") == (404, error("NOT_FOUND", "no such group: nobody"))
    for bad in (
        {"action": "explode", "targets": ["all"]},
        {"action": "start", "targets": "all"},
        {"action": "start", "targets": [1]},
        {"action": "start"},
        {"targets": ["all"]},
        {"action": "signal", "targets": ["all"]},
        {"action": "signal", "targets": ["all"], "signal": "NONE"},
    ):
        status, body = post(running.socket, "/api/v1/actions", bad)
        assert (status, body["code"]) == (400, "BAD_REQUEST"), bad


def test_configuration_over_the_api(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n[programs.a.environment]\nTOKEN = 'canary-env'\n")
    place = running.socket
    assert "canary" not in str(get(place, "/api/v1/config"))
    assert get(place, "/api/v1/config")[1]["supervisor"]["identifier"] == "kahi"
    running.write_config(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\n")
    status, report = post(place, "/api/v1/config/reread")
    assert (status, check(ReportObject, report)["status"], report["added"]) == (200, "changed", ["b"])
    assert post(place, "/api/v1/config/update", {"groups": ["a"]})[1]["added"] == []
    assert post(place, "/api/v1/config/update", {"groups": "a"})[0] == 400
    assert post(place, "/api/v1/config/reload")[1]["added"] == ["b"]
    assert post(place, "/api/v1/config/reread")[1]["status"] == "unchanged"
    running.write_config("[programs.a]\nstartsecs = 'soon'\n")
    for word in ("reread", "update", "reload"):
        status, body = post(place, f"/api/v1/config/{word}")
        assert (status, body["code"]) == (422, "CONFIG_ERROR")
        assert f"{running.config}:2: [programs.a] startsecs" in body["error"]


def test_version_and_shutdown(daemon: Start) -> None:
    running = daemon('[supervisor]\nidentifier = "blue"\n')
    status, version = get(running.socket, "/api/v1/version")
    assert status == 200
    check(VersionObject, version)
    assert (version["pid"], version["identifier"], version["fips"]) == (running.pid, "blue", False)
    assert version["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "api" in [plugin["name"] for plugin in version["plugins"]]
    assert post(running.socket, "/api/v1/shutdown") == (200, {"status": "shutting_down"})
    assert running.wait() == 0


@pytest.mark.fault("A7")
@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/api/v1", 404, "NOT_FOUND"),
        ("GET", "/api/v1/processes/", 404, "NOT_FOUND"),
        ("GET", "/api/v2/processes", 404, "NOT_FOUND"),
        ("DELETE", "/api/v1/processes", 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "/api/v1/processes/web", 405, "METHOD_NOT_ALLOWED"),
        ("OPTIONS", "/api/v1/processes", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/healthz", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_unknown_paths_and_methods(asked: Path, method: str, target: str, status: int, code: str) -> None:
    found, fields, body = exchange(asked, request(method, target))
    assert (found, body["code"], set(body)) == (status, code, {"error", "code"})
    assert fields["content-type"] == "application/json"
    assert (status == 405) == ("allow" in fields)


def test_heads_and_connections_that_are_kept(asked: Path) -> None:
    with connect(asked) as connection:
        for _ in range(3):
            connection.sendall(request("HEAD", "/healthz"))
            head = connection.recv(4096)
            assert head.startswith(b"HTTP/1.1 200")
            assert head.endswith(b"\r\n\r\n")
        connection.sendall(request("GET", "/healthz") * 2)
        data = b""
        while data.count(b'{"status":"ok"}') < 2:
            data += connection.recv(4096)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The socket of a daemon that does nothing."""
    running = Daemon(tmp_path_factory.mktemp("a"), "")
    yield running.socket
    running.end()
