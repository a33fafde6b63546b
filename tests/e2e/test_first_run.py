"""What a newcomer does, through the real program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Daemon, eventually, lives, python

Start = Callable[..., Daemon]
Run = Callable[..., subprocess.CompletedProcess[str]]

SLEEPER = 'command = "sleep 3600"'


def test_programs_run_and_status_tells(daemon: Start) -> None:
    running = daemon(
        f"""
        [programs.web]
        {SLEEPER}
        startsecs = 0.1
        [programs.worker]
        {SLEEPER}
        startsecs = 0.1
        numprocs = 2
        [programs.once]
        {python("print(1)")}
        oneshot = true
        [programs.broken]
        command = "/nowhere/program"
        """
    )
    for name in ("web", "worker_0", "worker_1"):
        assert lives(running.wait_for(name, "RUNNING").pid)
    running.wait_for("once", "EXITED")
    broken = running.wait_for("broken", "FATAL")
    assert broken.spawn_error == "cannot run /nowhere/program: No such file or directory"
    status = running.ctl("status")
    assert status.returncode == 3
    rows = {line.split()[0]: line.split()[1] for line in status.stdout.splitlines()[1:]}
    assert rows == {
        "broken": "FATAL",
        "once": "EXITED",
        "web": "RUNNING",
        "worker_0": "RUNNING",
        "worker_1": "RUNNING",
    }
    assert running.ctl("status", "web", "worker:*", "once").returncode == 0
    assert running.ctl("status", "web", "nothing").returncode == 4


def test_start_stop_restart(daemon: Start) -> None:
    running = daemon(f"[programs.web]\n{SLEEPER}\nstartsecs = 0.1\nautostart = false")
    assert running.process("web").state == "STOPPED"
    started = running.ctl("start", "web")
    assert (started.returncode, started.stdout) == (0, "web: started\n")
    first = running.process("web")
    assert first.state == "RUNNING"
    again = running.ctl("start", "web")
    assert (again.returncode, again.stdout) == (1, "web: ERROR (already started)\n")
    assert running.ctl("restart", "web").stdout == "web: restarted\n"
    second = running.process("web")
    assert second.pid != first.pid
    assert not lives(first.pid)
    assert running.ctl("stop", "web").stdout == "web: stopped\n"
    assert not lives(second.pid)
    assert running.ctl("stop", "web").stdout == "web: ERROR (not running)\n"
    assert running.ctl("stop", "all").returncode == 0
    assert running.ctl("start", "nothing").returncode == 1


@pytest.mark.fault("E1")
def test_a_failed_start_says_why(daemon: Start) -> None:
    running = daemon(
        f"[programs.web]\n{python('raise SystemExit(3)')}\nautostart = false\nstartretries = 0\nstartsecs = 60\n"
        "[programs.none]\ncommand = 'no-such-program-anywhere'\nautostart = false\n"
    )
    assert "exit status 3" in running.ctl("start", "web").stdout
    assert "no such program on PATH" in running.ctl("start", "none").stdout


def test_a_killed_child_is_back_at_once(daemon: Start) -> None:
    running = daemon(f"[programs.web]\n{SLEEPER}\nstartsecs = 0")
    first = running.wait_for("web", "RUNNING")
    running.wait_for_uptime()
    os.kill(first.pid, signal.SIGKILL)
    begin = time.monotonic()
    eventually(lambda: running.process("web").pid not in (0, first.pid), "another pid")
    assert time.monotonic() - begin < 5
    found = running.process("web")
    assert (found.restarts, found.exit_signal, found.exitstatus) == (1, "SIGKILL", 137)


def test_sigterm_stops_everything_in_order(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open(sys.argv[1], 'a').write(sys.argv[2] + chr(10)); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready')\n"
        "time.sleep(3600)\n"
    )
    names = ("c", "b", "a")
    tables = "".join(
        f"[programs.{name}]\n{python(code)[:-1]}, '{log}', '{name}']\npriority = {priority}\nstartsecs = 0\n"
        for priority, name in enumerate(names)
    )
    running = daemon(tables)
    for name in names:
        eventually(lambda name=name: "ready" in running.ctl("tail", name).stdout, f"{name} is ready")
    pids = [process.pid for process in running.processes().values()]
    assert running.terminate() == 0
    assert log.read_text().split() == ["a", "b", "c"]
    assert not any(map(lives, pids))
    assert not running.socket.exists()


def test_shutdown_by_ctl_waits_until_the_daemon_is_gone(daemon: Start) -> None:
    running = daemon(f"[programs.web]\n{SLEEPER}")
    done = running.ctl("shutdown")
    assert (done.returncode, done.stdout) == (0, "shut down\n")
    assert running.wait() == 0
    gone = running.ctl("status")
    assert gone.returncode == 1
    assert gone.stderr == f"kahi: cannot connect to the daemon at {running.socket} (is it running?)\n"


def test_tail_shows_the_end_of_the_log_and_follows_over_a_restart(daemon: Start) -> None:
    code = "import os, time; print('I am', os.getpid(), flush=True); time.sleep(3600)"
    running = daemon(f"[programs.web]\n{python(code)}\nstartsecs = 0")
    first = running.wait_for("web", "RUNNING").pid
    eventually(lambda: running.ctl("tail", "web").stdout == f"I am {first}\n", "the first line")
    assert running.ctl("tail", "web", "--bytes", "3").stdout == f"{first}\n"[-3:]
    with subprocess.Popen(
        [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), "tail", "-f", "web"],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == f"I am {first}\n"
        running.ctl("restart", "web")
        second = running.process("web").pid
        assert follower.stdout.readline() == f"I am {second}\n"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 130


@pytest.mark.fault("S8")
def test_an_open_stream_does_not_hold_up_the_end(daemon: Start) -> None:
    code = "import itertools, time\nfor n in itertools.count(): print(n, flush=True); time.sleep(0.1)"
    running = daemon(f"[programs.web]\n{python(code)}")
    follower = subprocess.Popen(
        [sys.executable, "-m", "kahi", "ctl", "-s", str(running.socket), "tail", "-f", "web"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    assert follower.stdout.readline()
    latest = int(running.ctl("tail", "web").stdout.split()[-1])
    # What is printed from here on comes through the stream.
    eventually(lambda: int(follower.stdout.readline()) > latest, "a line of the stream")  # type: ignore[union-attr]
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 5, "an open stream held up the end"
    assert follower.stderr is not None
    assert follower.stderr.readline() == "kahi: the daemon has ended; waiting for it to come back\n"
    follower.send_signal(signal.SIGINT)
    _, errors = follower.communicate(timeout=10)
    assert follower.returncode == 130, errors


def test_output_goes_to_file_and_console(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "web.log"
    running = daemon(
        f"[programs.filed]\n{python('print(1); print(2)')}\noneshot = true\nstdout_logfile = '{log}'\n"
        f"[programs.shown]\n{python('print(3)')}\noneshot = true\n"
    )
    running.wait_for("filed", "EXITED")
    running.wait_for("shown", "EXITED")
    assert log.read_text() == "1\n2\n"
    assert running.ctl("tail", "filed").stdout == "1\n2\n"
    line = next(line for line in running.says('"log"').splitlines() if '"log"' in line)
    found = json.loads(line)
    assert (found["process"], found["stream"], found["log"]) == ("shown", "stdout", "3")


def test_the_api_with_curl(daemon: Start) -> None:
    running = daemon(f"[programs.web]\n{SLEEPER}\nstartsecs = 0")
    pid = running.wait_for("web", "RUNNING").pid

    def curl(path: str, *options: str) -> tuple[int, dict[str, str]]:
        done = subprocess.run(
            [
                "curl",
                "-s",
                "--unix-socket",
                running.socket,
                "-w",
                "\n%{http_code}",
                *options,
                f"http://k{path}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)

    assert curl("/api/v1/processes")[1][0]["pid"] == pid  # type: ignore[index]
    assert curl("/healthz") == (200, {"status": "ok"})
    assert curl("/api/v1/processes/web/stop", "-X", "POST")[1]["state"] == "STOPPED"
    assert curl("/api/v1/processes/web/stop", "-X", "POST") == (
        409,
        {"error": "web: not running", "code": "CONFLICT"},
    )
    assert curl("/api/v1/processes/none") == (404, {"error": "no such process: none", "code": "NOT_FOUND"})
    assert curl("/nothing") == (404, {"error": "no such path: /nothing", "code": "NOT_FOUND"})
    status, answer = curl("/api/v1/shutdown")
    assert (status, answer["code"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.fault("S2")
def test_a_second_daemon_on_the_same_socket_is_refused(daemon: Start, short_tmp: Path) -> None:
    first = daemon("")
    other = short_tmp / "other"
    other.mkdir()
    second = Daemon(
        other,
        f'[server.unix]\nfile = "{first.socket}"\n[programs.a]\ncommand = "touch {short_tmp}/twice"\n',
        wait=False,
    )
    assert second.wait() == 1
    expected = f"kahi: cannot listen on {first.socket}: another daemon with pid {first.pid} uses it\n"
    assert second.output.endswith(expected)
    assert first.answers()
    assert not (short_tmp / "twice").exists(), "nothing is started twice"


@pytest.mark.fault("C4")
def test_a_broken_configuration_names_file_and_line(kahi: Run, tmp_path: Path) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text('[programs.web]\ncommand = "sleep 1"\nstartsecs = "soon"\nautorestart = 7\n')
    for command in ("daemon", "check"):
        done = kahi(command, "-c", str(config))
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.splitlines() == [
            f"{config}:3: [programs.web] startsecs: is no number "
            "(allowed: digits without quotes, such as 3 or 0.5)",
            f'{config}:4: [programs.web] autorestart: is not allowed (allowed: true, false, "unexpected")',
        ]


def test_no_configuration_names_every_place(kahi: Run, tmp_path: Path) -> None:
    if Path("/etc/kahi.toml").exists() or Path("/etc/kahi/kahi.toml").exists():
        pytest.skip("this machine has a configuration of Kahi")
    done = kahi("daemon", cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"kahi: no configuration found; looked at: .*kahi\.toml.*\n", done.stderr)


def test_commands_that_need_no_daemon(kahi: Run, tmp_path: Path) -> None:
    assert kahi("version").stdout.startswith("kahi 0.")
    assert json.loads(kahi("version", "--json").stdout)["version"]
    listed = kahi("plugins").stdout
    assert "kahi-api" in listed
    output = tmp_path / "new.toml"
    assert kahi("init", "-o", str(output)).returncode == 0
    assert kahi("check", "-c", str(output)).returncode == 0
    assert "is there already" in kahi("init", "-o", str(output)).stderr
    assert kahi("init", "-o", str(output), "--force").returncode == 0
    for shell in ("bash", "zsh", "fish"):
        assert "_KAHI_COMPLETE" in kahi("completion", shell).stdout
    hashed = subprocess.run(
        [sys.executable, "-m", "kahi", "hash-password", "--rounds", "4"],
        input="secret\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert hashed.stdout.startswith("$2b$04$")


def test_a_command_of_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    code = (
        "import sys, kahi.cli.entry as entry, kahi.cli.program as program\n"
        "entry.entry_points = program.entry_points = lambda group: []\n"
        "sys.argv = ['kahi', 'ctl', 'status']\n"
        "program.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "kahi: ctl needs a plugin that is not installed: pip install 'kahi[api]'\n"


def test_going_to_the_background(kahi: Run, short_tmp: Path) -> None:
    config, pidfile = short_tmp / "kahi.toml", short_tmp / "pid"
    config.write_text(f'[programs.web]\n{SLEEPER}\n[server.unix]\nfile = "{short_tmp / "k.sock"}"\n')
    done = kahi("daemon", "-d", "-c", str(config), "-p", str(pidfile))
    assert (done.returncode, done.stderr) == (0, "")
    pid = int(pidfile.read_text())
    assert os.getsid(pid) != os.getsid(0)
    again = kahi("daemon", "-d", "-c", str(config), "-p", str(pidfile))
    assert again.returncode == 1
    assert f"already running with pid {pid}" in again.stderr
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not lives(pid), "the daemon is gone")
    assert not pidfile.exists()


def test_reload_keeps_what_did_not_change(daemon: Start) -> None:
    running = daemon(f"[programs.web]\n{SLEEPER}\nstartsecs = 0\n[programs.old]\n{SLEEPER}\n")
    pid = running.wait_for("web", "RUNNING").pid
    running.write_config(f"[programs.web]\n{SLEEPER}\nstartsecs = 0\n[programs.new]\n{SLEEPER}\n")
    running.signal(signal.SIGHUP)
    eventually(lambda: set(running.processes()) == {"web", "new"}, "the new configuration")
    assert running.process("web").pid == pid
    running.write_config("[programs.web]\ncommand = 7\n")
    running.signal(signal.SIGHUP)
    eventually(lambda: "reload refused" in running.output, "the refusal")
    assert running.process("web").pid == pid


def test_the_demo_shows_what_it_promises(short_tmp: Path) -> None:
    """`make demo` without make: its runner, on ports of its own."""
    import socket

    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, page_port = probe.getsockname()[1], other.getsockname()[1]
    root = Path(__file__).resolve().parents[2]
    path = short_tmp / "demo.sock"
    with (short_tmp / "output").open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, root / "examples" / "demo" / "run.py"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "KAHI_DEMO_SOCKET": str(path),
                "KAHI_DEMO_PORT": str(port),
                "KAHI_DEMO_PAGE_PORT": str(page_port),
            },
        )
    try:

        def states() -> dict[str, str]:
            done = subprocess.run(
                [sys.executable, "-m", "kahi", "ctl", "-s", path, "status", "--json"],
                capture_output=True,
                text=True,
                check=False,
            )
            return {p["name"]: p["state"] for p in json.loads(done.stdout or "[]")}

        wanted = {"broken": "FATAL", "chatty": "RUNNING", "prepare": "EXITED", "web": "RUNNING"}
        eventually(lambda: wanted.items() <= states().items(), "the demo's programs")
        page = subprocess.run(
            ["curl", "-s", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
        ).stdout
        assert page.startswith("Hello from process ")
        ours = subprocess.run(
            ["curl", "-s", "-u", "demo:demo", f"http://127.0.0.1:{page_port}/"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "<title>1 FATAL · 5 RUNNING · kahi</title>" in ours
        assert "Kahi supervises the programs of" in (short_tmp / "output").read_text()
    finally:
        demo.terminate()
        assert demo.wait(20) == 0
