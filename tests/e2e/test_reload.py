"""Reloads: what they disturb, what they leave alone, and what they say."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_api.client import ApiError
from tests.support import Daemon, children_of, eventually, python, steadily

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def pids(running: Daemon) -> dict[str, int]:
    """Pid of each process."""
    return {name: process.pid for name, process in running.processes().items()}


def all_run(running: Daemon) -> bool:
    """Whether every process is RUNNING."""
    return {process.state for process in running.processes().values()} == {"RUNNING"}


def environ_of(pid: int) -> list[str]:
    """The environment that a process was started with."""
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


def test_added_changed_removed(daemon: Start) -> None:
    running = daemon(f"[programs.same]\n{SLEEPER}\n[programs.gone]\n{SLEEPER}\n[programs.other]\n{SLEEPER}\n")
    eventually(lambda: all_run(running), "all run")
    before = pids(running)
    running.write_config(
        f'[programs.same]\n{SLEEPER}\n[programs.new]\n{SLEEPER}\n[programs.other]\n{SLEEPER}\numask = "077"\n'
    )
    preview = running.ctl("reread")
    assert preview.stdout == (
        "new: would be added\nother: would be changed\ngone: would be removed\n"
        "other: would be restarted, because these changed: umask\n"
    )
    assert pids(running) == before, "a preview changes nothing"
    assert running.ctl("update").stdout == (
        "new: added\nother: changed\ngone: removed\nother: restarted, because these changed: umask\n"
    )
    eventually(lambda: all_run(running), "all run")
    after = pids(running)
    assert set(after) == {"same", "other", "new"}
    assert after["same"] == before["same"]
    assert after["other"] != before["other"]
    assert running.ctl("reload").stdout == "nothing changed\n"
    assert pids(running) == after


LIVE = [
    ("priority = 5", "priority = 6"),
    ("autostart = true", "autostart = false"),
    ("autorestart = true", "autorestart = false"),
    ("exitcodes = [0]", "exitcodes = [0, 1]"),
    ("startretries = 3", "startretries = 4"),
    ("startsecs = 0", "startsecs = 2"),
    ('stopsignal = "TERM"', 'stopsignal = "INT"'),
    ("stopwaitsecs = 10", "stopwaitsecs = 11"),
    ("stopasgroup = false", "stopasgroup = true"),
    ("restart_delay = 0", "restart_delay = 3"),
    ('stdout_logfile_maxbytes = "1MB"', 'stdout_logfile_maxbytes = "2MB"'),
    ("stdout_logfile_backups = 1", "stdout_logfile_backups = 2"),
    ('stderr_buffer_maxbytes = "1MB"', 'stderr_buffer_maxbytes = "2MB"'),
    ('description = "a"', 'description = "b"'),
    ("critical = false", "critical = true"),
    ("stdin_eof = false", "stdin_eof = true"),
    ('max_memory = "1GB"', 'max_memory = "2GB"'),
    ("backoff = {initial = 1}", "backoff = {initial = 2}"),
]
FIXED = [
    ('command = "sleep 3600"', 'command = "sleep 3601"'),
    ('directory = "/"', 'directory = "/usr"'),
    ('umask = "022"', 'umask = "027"'),
    ("environment = {A = '1'}", "environment = {A = '2'}"),
    ("rlimits = {core = 0}", "rlimits = {core = 1}"),
    ("redirect_stderr = false", "redirect_stderr = true"),
    ('stdin = "pipe"', 'stdin = "null"'),
    ("strip_ansi = false", "strip_ansi = true"),
    ("no_new_privs = false", "no_new_privs = true"),
    ("stdout_logfile = '/dev/null'", "stdout_logfile = ''"),
]


def test_keys_that_need_no_restart(daemon: Start) -> None:
    def config(which: int) -> str:
        return "".join(
            f"[programs.p{number}]\ncommand = 'sleep 3600'\n{pair[which]}\n"
            for number, pair in enumerate(LIVE)
        )

    running = daemon(config(0))
    eventually(lambda: all_run(running), "all run")
    before = pids(running)
    running.write_config(config(1))
    answer = running.ctl("update").stdout
    assert answer.count("changed") == len(LIVE)
    assert "restarted" not in answer
    assert pids(running) == before


def test_keys_that_need_a_restart(daemon: Start) -> None:
    def config(which: int) -> str:
        return "".join(
            f"[programs.p{number}]\n{pair[which]}\nstartsecs = 0\n"
            + ("" if pair[which].startswith("command") else "command = 'sleep 3600'\n")
            for number, pair in enumerate(FIXED)
        )

    running = daemon(config(0))
    eventually(lambda: all_run(running), "all run")
    before = pids(running)
    running.write_config(config(1))
    answer = running.ctl("update").stdout
    eventually(lambda: all_run(running), "all run")
    after = pids(running)
    for number, pair in enumerate(FIXED):
        assert after[f"p{number}"] != before[f"p{number}"], pair
        key = pair[0].split()[0]
        line = next(line for line in answer.splitlines() if line.startswith(f"p{number}: restarted"))
        assert key in line


def test_live_keys_have_their_effect(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nautorestart = true\n")
    pid = running.wait_for("x", "RUNNING").pid
    running.write_config(f"[programs.x]\n{SLEEPER}\nautorestart = false\ndescription = 'later'\n")
    running.ctl("update")
    os.kill(pid, signal.SIGKILL)
    running.wait_for("x", "EXITED")
    steadily(lambda: running.process("x").state == "EXITED", "it stays EXITED")


def test_numprocs_grow_and_shrink(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nnumprocs = 2\n")
    eventually(lambda: all_run(running), "all run")
    two = pids(running)
    running.write_config(f"[programs.x]\n{SLEEPER}\nnumprocs = 4\n")
    running.ctl("update")
    eventually(lambda: all_run(running), "all run")
    four = pids(running)
    assert len(four) == 4
    assert {name: four[name] for name in two} == two
    running.write_config(f"[programs.x]\n{SLEEPER}\nnumprocs = 2\n")
    running.ctl("update")
    assert pids(running) == two


def test_a_group_gains_a_member(daemon: Start) -> None:
    group = '[groups.site]\nprograms = ["a"{more}]\n'
    running = daemon(f"[programs.a]\n{SLEEPER}\n{group.format(more='')}")
    pid = running.wait_for("a", "RUNNING").pid
    running.write_config(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\n" + group.format(more=', "b"'))
    assert running.ctl("update").stdout == "site: changed\n"
    assert running.wait_for("b", "RUNNING").group == "site"
    assert running.process("a").pid == pid


def test_processes_move_between_groups(daemon: Start) -> None:
    def config(**groups: str) -> str:
        return "".join(f"[programs.{name}]\n{SLEEPER}\n" for name in "xyz") + "".join(
            f"[groups.{name}]\nprograms = {list(members)}\n" for name, members in groups.items()
        )

    running = daemon(config(a="x", c="yz"))
    eventually(lambda: all_run(running), "all run")
    before = pids(running)
    for groups in ({"a": "xy", "c": "z"}, {"a": "x", "c": "zy"}, {"c": "xyz"}, {}):
        running.write_config(config(**groups))
        running.ctl("update")
        eventually(lambda: all_run(running), "all run")
        found = running.processes()
        wanted = {member: name for name, members in groups.items() for member in members}
        assert {name: process.group for name, process in found.items()} == {
            name: wanted.get(name, name) for name in "xyz"
        }
        if "z" in groups.get("c", ""):
            assert found["z"].pid == before["z"], "it stayed where it was"


def test_only_some_groups_where_that_is_impossible(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n[programs.y]\n{SLEEPER}\n")
    eventually(lambda: all_run(running), "all run")
    before = pids(running)
    running.write_config(
        f'[programs.x]\n{SLEEPER}\n[programs.y]\n{SLEEPER}\n[groups.g]\nprograms = ["x", "y"]\n'
    )
    assert running.ctl("update", "g").stderr == "kahi: x: moves from group x to g: update both\n"
    assert running.ctl("update", "nothing").stderr == "kahi: no such group: nothing\n"
    assert pids(running) == before
    running.ctl("update", "g", "x", "y")
    eventually(lambda: all_run(running), "all run")
    assert {process.group for process in running.processes().values()} == {"g"}


def test_what_leaves_is_stopped_in_parallel(daemon: Start) -> None:
    slow = (
        "command = ['sh', '-c', 'trap \"sleep 1; exit 0\" TERM; echo on; while :; do sleep 0.05; done']\n"
        "startsecs = 0\n"
    )
    running = daemon("".join(f"[programs.p{number}]\n{slow}\n" for number in range(6)))
    for number in range(6):
        eventually(lambda number=number: running.ctl("tail", f"p{number}").stdout, "it handles SIGTERM")
    running.write_config("")
    begin = time.monotonic()
    running.ctl("update")
    assert time.monotonic() - begin < 5
    assert running.processes() == {}


def test_a_restart_and_a_reload_that_removes(daemon: Start) -> None:
    stubborn = (
        "command = ['sh', '-c', 'trap \"\" TERM; echo on; while :; do sleep 0.05; done']\nstartsecs = 0\n"
    )
    running = daemon(f"[programs.x]\n{stubborn}\nstopwaitsecs = 60\n[programs.y]\n{SLEEPER}\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    pid = running.process("x").pid
    with running.client() as client:
        client.restart("x", wait=False)
    running.write_config(f"[programs.y]\n{SLEEPER}\n")
    running.signal(signal.SIGHUP)
    running.wait_for("x", "STOPPING")
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: set(running.processes()) == {"y"}, "it is gone")
    steadily(lambda: len(children_of(running.pid)) == 1, "one child")


def test_a_restart_in_the_middle_of_a_reload(daemon: Start) -> None:
    """What somebody starts again while the reload waits for others comes back once more, as it is to be."""
    stubborn = python(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(3600)"
    )

    def config(value: int) -> str:
        both = f"environment = {{ V = '{value}' }}\nstartsecs = 0\n"
        return f"[programs.quick]\ncommand = 'sleep 3600'\n{both}[programs.slow]\n{stubborn}\nstopwaitsecs = 2\n{both}"

    running = daemon(config(1))
    eventually(lambda: running.ctl("tail", "slow").stdout, "it ignores SIGTERM")
    first = running.process("quick").pid
    running.write_config(config(2))
    running.signal(signal.SIGHUP)
    running.wait_for("quick", "STOPPED")
    with running.client() as client:
        client.restart("quick")
    second = running.process("quick").pid
    assert "V=1" in environ_of(second)
    eventually(lambda: "reloaded: changed quick, slow" in running.output, "the reload is done")
    eventually(lambda: running.process("quick").pid not in (0, first, second), "it came back once more")
    running.wait_for("slow", "RUNNING")
    assert all("V=2" in environ_of(running.process(name).pid) for name in ("quick", "slow"))


def test_dependencies_and_limits_change_live(daemon: Start) -> None:
    running = daemon(
        f"[programs.db]\n{SLEEPER}\nautostart = false\n"
        f'[programs.web]\n{SLEEPER}\ndepends_on = {{ db = "running" }}\n'
        f"[programs.hog]\n{python('hog = bytearray(80 << 20); import time; time.sleep(3600)')}\nstartsecs = 0\n"
    )
    hog = running.wait_for("hog", "RUNNING").pid
    eventually(lambda: running.process("web").description.startswith("waits"), "it waits")
    running.write_config(
        f"[programs.db]\n{SLEEPER}\nautostart = false\n"
        f"[programs.web]\n{SLEEPER}\n"
        f"[programs.hog]\n{python('hog = bytearray(80 << 20); import time; time.sleep(3600)')}\nstartsecs = 0\n"
        'max_memory = "60MB"\n'
    )
    assert "restarted" not in running.ctl("update").stdout
    running.wait_for("web", "RUNNING")
    eventually(lambda: running.process("hog").pid not in (0, hog), "the new limit counts")


def test_what_only_the_next_start_can_change_is_told(daemon: Start) -> None:
    running = daemon(f"[supervisor]\nminfds = 100\n[programs.a]\n{SLEEPER}\n")
    running.write_config(
        f'[supervisor]\nminfds = 200\nshutdown_timeout = 9\nlog_format = "text"\n[programs.a]\n{SLEEPER}\n'
    )
    told = running.ctl("reread")
    assert "minfds: counts from the next start of the daemon" in told.stdout + told.stderr
    running.signal(signal.SIGHUP)
    for key in ("minfds", "log_format"):
        eventually(
            lambda key=key: f"[supervisor] {key}: counts from the next start of the daemon" in running.output
        )
    assert "shutdown_timeout" not in running.output


def test_update_of_one_group(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\n")
    eventually(lambda: all_run(running), "all run")
    before = pids(running)
    running.write_config(
        f'[programs.a]\n{SLEEPER}\numask = "077"\n[programs.b]\n{SLEEPER}\numask = "077"\n[programs.c]\n{SLEEPER}\n'
    )
    running.ctl("update", "a")
    after = pids(running)
    assert after["a"] != before["a"]
    assert after["b"] == before["b"]
    assert "c" not in after


def test_what_was_stopped_stays_stopped(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\nautostart = false\n")
    running.ctl("stop", "a")
    running.ctl("start", "b")
    running.write_config(
        f'[programs.a]\n{SLEEPER}\numask = "077"\n[programs.b]\n{SLEEPER}\nautostart = false\numask = "077"\n'
    )
    running.ctl("update")
    running.wait_for("b", "RUNNING")
    assert running.process("a").state == "STOPPED"


@pytest.mark.fault("C4")
def test_a_broken_configuration_changes_nothing(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    before = running.wait_for("a", "RUNNING").pid
    running.write_config("[programs.a]\ncommand = 7\n[programs.b]\n")
    done = running.ctl("update")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{running.config}:2: [programs.a] command: is neither text nor a list",
        f"{running.config}:3: [programs.b] command: is missing",
    ]
    assert running.ctl("reread").returncode == 1
    assert pids(running) == {"a": before}


@pytest.mark.fault("C5", "S7")
def test_reload_during_shutdown_is_refused(daemon: Start) -> None:
    stubborn = (
        "command = ['sh', '-c', 'trap \"\" TERM; echo on; while true; do sleep 0.05; done']\nstartsecs = 0\n"
    )
    running = daemon(f"[programs.x]\n{stubborn}\n")
    eventually(lambda: running.ctl("tail", "x").stdout, "it ignores SIGTERM")
    pid = running.process("x").pid
    running.signal(signal.SIGTERM)
    running.wait_for("x", "STOPPING")
    assert running.ctl("update").stderr == "kahi: shutting down\n"
    os.kill(pid, signal.SIGKILL)


def test_groups_come_and_go(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\n")
    assert running.ctl("avail").stdout == "a: active\nb: active\n"
    assert running.ctl("remove", "a").stdout == "a: removed\n"
    assert running.ctl("avail").stdout == "a: not active\nb: active\n"
    assert set(running.processes()) == {"b"}
    running.write_config(f"[programs.a]\n{SLEEPER}\numask = '077'\n[programs.b]\n{SLEEPER}\n")
    assert running.ctl("update").stdout == "nothing changed\n", (
        "nobody is told of a restart that there is not"
    )
    assert running.ctl("add", "a").stdout == "a: added\n"
    running.wait_for("a", "RUNNING")
    assert running.ctl("add", "a").stderr == "kahi: a: already added\n"
    assert running.ctl("add", "c").stderr == "kahi: no such group: c\n"


def test_the_log_level_changes_live(daemon: Start) -> None:
    running = daemon(f'[supervisor]\nlog_level = "error"\n[programs.a]\n{SLEEPER}\n')
    running.ctl("restart", "a")
    assert "running, pid" not in running.output
    running.write_config(f'[supervisor]\nlog_level = "debug"\n[programs.a]\n{SLEEPER}\n')
    running.ctl("update")
    running.ctl("restart", "a")
    eventually(lambda: "a: STARTING" in running.output, "a message of level debug")


def test_the_resolved_configuration_has_no_secrets(daemon: Start) -> None:
    canary = "hunter2-canary"
    running = daemon(
        f'[supervisor.environment]\nA = "{canary}"\n'
        f'[programs.a]\ncommand = ["sleep", "3600", "http://user:{canary}@host/"]\nautostart = false\n'
        f'environment = {{B = "{canary}", C = "${{SECRET}}"}}\n',
        environ={"SECRET": canary},
    )
    with running.client() as client:
        shown = json.dumps(client.config())
    assert canary not in shown
    assert '"B"' in shown
    assert canary not in running.output


@pytest.mark.fault("C5")
def test_a_hundred_reloads_at_once(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    pid = running.wait_for("a", "RUNNING").pid
    refused: list[ApiError] = []

    def update() -> None:
        with running.client() as client:
            for _ in range(10):
                try:
                    client.update()
                except ApiError as error:
                    refused.append(error)

    threads = [threading.Thread(target=update) for _ in range(10)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for number in range(3):
            running.config.with_name("new").write_text(
                f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\nnumprocs = {number + 1}\n"
                f'[server.unix]\nfile = "{running.socket}"\n'
            )
            running.config.with_name("new").rename(running.config)
            running.signal(signal.SIGHUP)
            time.sleep(0.02)
    assert refused == []
    assert running.ctl("update").returncode == 0
    eventually(lambda: set(pids(running)) == {"a", "b_0", "b_1", "b_2"}, "what the last file says")
    assert pids(running)["a"] == pid
    assert "Traceback" not in running.output


@pytest.mark.fault("C1", "C2", "C3")
@pytest.mark.slow
def test_a_hostile_file_never_stalls_a_running_daemon(daemon: Start, short_tmp: Path) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    pid = running.wait_for("a", "RUNNING").pid
    fifo = short_tmp / "fifo.toml"
    os.mkfifo(fifo)
    bombs = {
        "a FIFO": f'include = ["{fifo}"]\n',
        "a device": 'include = ["/dev/zero"]\n',
        "nesting": "a = " + "[" * 20000 + "]" * 20000,
        "dotted keys": ".".join("a" * 30000) + " = 1",
        "size": "#" * (2 * 1024 * 1024),
        "not UTF-8": "\udcff",
        "numprocs": '[programs.a]\ncommand = "x"\nnumprocs = 1000000000\n',
        "expansion": '[programs.a]\ncommand = "%(process_num)999999999d"\n',
        "a directory": 'include = ["/"]\n',
    }
    for name, text in bombs.items():
        running.config.write_text(text, encoding="utf-8", errors="surrogateescape")
        begin = time.monotonic()
        done = running.ctl("update")
        assert done.returncode == 1, name
        assert time.monotonic() - begin < 5, name
        assert pids(running) == {"a": pid}, name
