"""Groups, priorities, numbers and dependencies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, eventually, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def test_numbers_and_groups(daemon: Start) -> None:
    running = daemon(
        f"""
        [programs.worker]
        {SLEEPER}
        numprocs = 2
        numprocs_start = 3
        [programs.named]
        {SLEEPER}
        numprocs = 2
        process_name = "n%(process_num)02d"
        [programs.web]
        {SLEEPER}
        [groups.site]
        programs = ["web", "named"]
        """
    )
    found = {process.name: process.group for process in running.processes().values()}
    assert found == {"n00": "site", "n01": "site", "web": "site", "worker_3": "worker", "worker_4": "worker"}
    running.ctl("stop", "site:*")
    states = {process.name: process.state for process in running.processes().values()}
    assert [states[name] for name in sorted(states)] == [
        "STOPPED",
        "STOPPED",
        "STOPPED",
        "RUNNING",
        "RUNNING",
    ]
    assert running.ctl("start", "site:n*").stdout == "n00: started\nn01: started\n"
    assert running.ctl("start", "site:worker_3").returncode == 1


def test_start_and_stop_follow_the_priorities_of_groups_and_processes(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "order"
    code = (
        "import signal, sys, time\n"
        f"note = lambda word: open('{log}', 'a').write(word + ' ' + sys.argv[1] + chr(10))\n"
        "signal.signal(signal.SIGTERM, lambda *_: (note('stop'), sys.exit(0)))\n"
        "note('start')\n"
        "time.sleep(3600)\n"
    )

    def program(name: str, priority: int) -> str:
        return f"[programs.{name}]\n{python(code)[:-1]}, '{name}']\npriority = {priority}\nstartsecs = 0\n"

    running = daemon(
        program("late", 9)
        + program("first", 1)
        + program("second", 2)
        + program("early", 1)
        + '[groups.g1]\nprograms = ["second", "first"]\npriority = 1\n'
        + '[groups.g0]\nprograms = ["early"]\npriority = 0\n'
    )
    eventually(lambda: log.exists() and len(log.read_text().splitlines()) == 4, "all are up")
    pids = {process.name: process.pid for process in running.processes().values()}
    assert sorted(pids, key=lambda name: pids[name]) == ["early", "first", "second", "late"]
    running.terminate()
    stopped = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("stop")]
    assert stopped == ["late", "second", "first", "early"]


def test_members_of_one_priority_stop_in_parallel(daemon: Start) -> None:
    slow = python(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit(0)))\nprint(1)\ntime.sleep(3600)\n"
    )
    running = daemon(f"[programs.x]\n{slow}\nnumprocs = 4\nstartsecs = 0\n")
    for number in range(4):
        eventually(lambda number=number: running.ctl("tail", f"x_{number}").stdout, "it handles SIGTERM")
    begin = time.monotonic()
    running.ctl("stop", "all")
    assert 1 <= time.monotonic() - begin < 4, "one after the other takes 4 s at least"


def test_a_dependant_waits_and_says_for_what(daemon: Start, short_tmp: Path) -> None:
    gate = short_tmp / "gate"
    once = python(f"import os, time\nwhile not os.path.exists('{gate}'): time.sleep(0.02)\n")
    running = daemon(
        f"""
        [programs.migrate]
        {once}
        oneshot = true
        startsecs = 0
        [programs.db]
        {SLEEPER}
        [programs.web]
        {SLEEPER}
        depends_on = {{ migrate = "exited", db = "running" }}
        """
    )
    running.wait_for("db", "RUNNING")
    waiting = running.process("web")
    assert (waiting.state, waiting.description) == ("STOPPED", "waits for migrate to have exited")
    gate.touch()
    running.wait_for("web", "RUNNING")
    os.kill(running.process("db").pid, signal.SIGKILL)
    assert running.process("web").state == "RUNNING"


def test_a_dependency_that_went_fatal_is_named(daemon: Start) -> None:
    running = daemon(
        f'[programs.db]\ncommand = "/nowhere"\n[programs.web]\n{SLEEPER}\ndepends_on = {{ db = "running" }}\n'
    )
    running.wait_for("db", "FATAL")
    assert running.process("web").description == "waits for db to be running, which is FATAL"
    done = running.ctl("start", "web")
    assert done.returncode == 1
    assert "waits for db to be running, which is FATAL" in done.stdout


def test_a_start_on_request_brings_what_it_depends_on(daemon: Start) -> None:
    running = daemon(
        f"""
        [programs.web]
        {SLEEPER}
        autostart = false
        depends_on = {{ cache = "running" }}
        [programs.cache]
        {SLEEPER}
        autostart = false
        depends_on = {{ db = "running" }}
        numprocs = 2
        [programs.db]
        {SLEEPER}
        autostart = false
        """
    )
    assert running.ctl("start", "web").stdout == "web: started\n"
    assert {process.state for process in running.processes().values()} == {"RUNNING"}


def test_what_is_met_is_not_started_again(daemon: Start, short_tmp: Path) -> None:
    count = short_tmp / "count"
    running = daemon(
        f"[programs.migrate]\ncommand = ['sh', '-c', 'echo x >> {count}']\noneshot = true\n"
        f'[programs.web]\n{SLEEPER}\ndepends_on = {{ migrate = "exited" }}\n'
    )
    first = running.wait_for("web", "RUNNING").pid
    assert running.ctl("restart", "web").stdout == "web: restarted\n"
    assert running.process("web").pid != first
    assert count.read_text() == "x\n"


def test_who_starts_by_itself_does_not_bring_what_does_not(daemon: Start) -> None:
    running = daemon(
        f"[programs.db]\n{SLEEPER}\nautostart = false\n"
        f'[programs.web]\n{SLEEPER}\ndepends_on = {{ db = "running" }}\n'
    )
    eventually(lambda: running.process("web").description == "waits for db to be running", "it waits")
    assert running.process("db").state == "STOPPED"
    running.ctl("start", "db")
    running.wait_for("web", "RUNNING")


def test_a_dependency_that_ended_or_is_not_there_is_named(daemon: Start) -> None:
    running = daemon(
        f"[programs.job]\n{python('raise SystemExit(3)')}\nstartsecs = 0\nautorestart = false\n"
        f"[programs.other]\n{SLEEPER}\n"
        f'[programs.web]\n{SLEEPER}\ndepends_on = {{ job = "exited", other = "running" }}\n'
    )
    running.wait_for("job", "EXITED")
    running.wait_for("other", "RUNNING")
    assert running.process("web").description == (
        "waits for job to have exited, which has ended (exit status 3)"
    )
    running.ctl("remove", "other")
    running.write_config(
        f'[programs.other]\n{SLEEPER}\n[programs.web]\n{SLEEPER}\ndepends_on = {{ other = "running" }}\n'
    )
    running.ctl("update")
    assert running.process("web").description == "waits for other to be running, which is not there"
    assert running.ctl("start", "web").returncode == 1
    running.ctl("add", "other")
    running.wait_for("web", "RUNNING")


def test_a_stop_calls_off_the_waiting(daemon: Start) -> None:
    running = daemon(
        f"[programs.db]\n{SLEEPER}\nautostart = false\n"
        f'[programs.web]\n{SLEEPER}\nautostart = false\ndepends_on = {{ db = "exited" }}\n'
    )
    with subprocess.Popen(
        [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), "start", "web"],
        stdout=subprocess.PIPE,
        text=True,
    ) as start:
        eventually(lambda: running.process("web").description.startswith("waits"), "it waits")
        assert running.ctl("stop", "web").stdout == "web: stopped\n"
        assert start.communicate()[0] == "web: ERROR (stopped while it waited)\n"
    assert running.process("web").description == ""


def test_dependants_stop_before_what_they_depend_on(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "order"
    code = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open('{log}', 'a').write(sys.argv[1] + chr(10)), sys.exit(0)))\n"
        "print(1)\ntime.sleep(3600)\n"
    )
    running = daemon(
        f"[programs.db]\n{python(code)[:-1]}, 'db']\npriority = 900\nstartsecs = 0\n"
        f"[programs.web]\n{python(code)[:-1]}, 'web']\npriority = 1\nstartsecs = 0\n"
        'depends_on = { db = "running" }\n'
    )
    for name in ("db", "web"):
        eventually(lambda name=name: running.ctl("tail", name).stdout, "it handles SIGTERM")
    running.terminate()
    assert log.read_text().split() == ["web", "db"]


@pytest.mark.parametrize("names", [["all"], ["x_*"], ["x:*"], ["x:x_0", "x_1"]])
def test_operations_on_many_skip_what_is_there_already(daemon: Start, names: list[str]) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nnumprocs = 2\n")
    done = running.ctl("start", *names)
    strict = not any("*" in name or name == "all" for name in names)
    assert done.returncode == (1 if strict else 0)
