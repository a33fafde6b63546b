"""Ends that the kernel tells of: many at once, as PID 1, as subreaper, on other systems."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOT, Daemon, children_of, eventually, install_plugin, lives, python

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def zombies_of(pid: int) -> list[int]:
    """Ended children of a process that nobody has reaped."""
    return [child for child in children_of(pid) if not lives(child)]


def switches(pid: int) -> int:
    """Context switches of all threads of a process."""
    return sum(
        int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if "ctxt_switches" in line
    )


def test_an_idle_daemon_does_nothing(daemon: Start) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\nnumprocs = 10\n")
    eventually(lambda: {p.state for p in running.processes().values()} == {"RUNNING"}, "all run")
    time.sleep(1.5)
    before = switches(running.pid)
    time.sleep(2)
    assert switches(running.pid) == before


@pytest.mark.needs_strace
def test_an_idle_daemon_makes_no_system_calls(daemon: Start, short_tmp: Path) -> None:
    running = daemon(f"[programs.x]\n{SLEEPER}\n")
    running.wait_for("x", "RUNNING")
    time.sleep(1.5)
    trace = short_tmp / "trace"
    with subprocess.Popen(["strace", "-f", "-q", "-o", str(trace), "-p", str(running.pid)]) as strace:
        eventually(trace.exists)
        time.sleep(2)
        strace.send_signal(signal.SIGINT)
    lines = [line for line in trace.read_text().splitlines() if "detached" not in line]
    # Each thread is shown in the one call that it sleeps in.
    assert all("epoll_wait" in line or "restart_syscall" in line or "futex" in line for line in lines), lines
    assert len(lines) <= 4, lines


@pytest.mark.fault("P7")
@pytest.mark.slow
def test_a_thousand_children_killed_at_once_are_all_back(daemon: Start) -> None:
    running = daemon(
        f"[programs.x]\n{SLEEPER}\nnumprocs = 1000\nstdout_logfile = '/dev/null'\nstderr_logfile = '/dev/null'\n",
        wait=False,
    )
    eventually(running.answers, "the API answers", 60)
    eventually(lambda: {p.state for p in running.processes().values()} == {"RUNNING"}, "all run", 60)
    running.wait_for_uptime()
    before = {name: process.pid for name, process in running.processes().items()}
    assert len(set(before.values())) == 1000
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def all_back() -> bool:
        now = running.processes()
        return all(p.state == "RUNNING" and p.pid != before[name] for name, p in now.items())

    eventually(all_back, "all are back", 60)
    found = running.processes()
    assert len({process.pid for process in found.values()}) == 1000
    assert {process.restarts for process in found.values()} == {1}
    assert zombies_of(running.pid) == []
    assert len(children_of(running.pid)) == 1000
    eventually(
        lambda: len(os.listdir(f"/proc/{running.pid}/fd")) < 4 * 1000 + 50, "old descriptors are closed"
    )
    assert running.ctl("shutdown").returncode == 0


ORPHAN_MAKER = (
    "import os, sys\n"
    "for _ in range(int(sys.argv[1])):\n"
    "    if os.fork() == 0:\n"
    "        if os.fork() == 0:\n"
    "            import time; time.sleep(0.3); os._exit(3)\n"
    "        os._exit(0)\n"
    "    os.wait()\n"
    "print('done', flush=True)\n"
    "import time; time.sleep(3600)\n"
)


@pytest.mark.fault("P13")
@pytest.mark.needs_namespaces
def test_as_pid_1_with_a_thousand_orphans(daemon: Start) -> None:
    running = daemon(
        f"[programs.maker]\n{python(ORPHAN_MAKER)[:-1]}, '1000']\nstartsecs = 0\n",
        wrapper=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"],
    )
    (inner,) = children_of(running.pid)
    eventually(lambda: running.ctl("tail", "maker").stdout == "done\n", "all orphans are made", 60)
    eventually(lambda: len(children_of(inner)) == 1, "only the maker is left", 60)
    assert zombies_of(inner) == []
    assert running.process("maker").pid > 1
    os.kill(inner, signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.fault("P13")
@pytest.mark.needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_to_pid_1(daemon: Start, number: int) -> None:
    running = daemon(
        f"[programs.x]\n{SLEEPER}\n", wrapper=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    )
    (inner,) = children_of(running.pid)
    os.kill(inner, signal.SIGHUP)
    running.says("reloaded: nothing changed")
    for harmless in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE, signal.SIGTSTP, signal.SIGSEGV):
        os.kill(inner, harmless)
    assert running.answers()
    os.kill(inner, number)
    assert running.wait() == 0
    assert f"shutting down: {signal.Signals(number).name}" in running.output


PLUGIN = """
import asyncio
from contextlib import asynccontextmanager
import anyio
from kahi.hookspecs import Service, hookimpl

async def work():
    while True:
        codes = []
        for code in (0, 5, 7):
            done = await anyio.run_process(["sh", "-c", f"sleep 0.05; exit {code}"], check=False)
            codes.append(done.returncode)
            process = await asyncio.create_subprocess_exec("sh", "-c", f"exit {code}")
            codes.append(await process.wait())
        print("codes", codes, flush=True)
        await anyio.sleep(0.2)

@asynccontextmanager
async def run():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        yield
        tasks.cancel_scope.cancel()

@hookimpl
def kahi_services(ctx):
    return [Service("runner", run)]
"""


@pytest.mark.fault("P13")
@pytest.mark.breaks("instances")
def test_a_subreaper_reaps_orphans_and_leaves_plugins_their_own(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        "[supervisor]\nsubreaper = true\n"
        f"[programs.maker]\n{python(ORPHAN_MAKER)[:-1]}, '50']\nstartsecs = 0\n",
        environ=install_plugin(short_tmp, "runner", PLUGIN),
    )
    eventually(lambda: running.ctl("tail", "maker").stdout == "done\n", "all orphans are made")
    eventually(lambda: running.output.count("codes") >= 6, "results of the plugin")
    for line in running.output.splitlines():
        if line.startswith("codes"):
            assert line == "codes [0, 0, 5, 5, 7, 7]"
    eventually(lambda: len(zombies_of(running.pid)) <= 1, "no orphan stays")
    names = [Path(f"/proc/{child}/comm").read_text() for child in children_of(running.pid) if lives(child)]
    assert "kahi-guardian\n" not in names, "it is nobody's child"


@pytest.mark.fault("R5")
@pytest.mark.parametrize("variant", ["old-kernel", "few-descriptors", "mac-like"])
class TestOtherSystems:
    """The same promises where something is missing."""

    @pytest.fixture
    def elsewhere(self, daemon: Start, variant: str) -> Start:
        def start(toml: str) -> Daemon:
            return daemon(
                toml,
                program=[sys.executable, "-m", "tests.e2e.other_systems", variant],
                environ={"PYTHONPATH": str(ROOT)},
            )

        return start

    def test_children_come_back(self, elsewhere: Start) -> None:
        running = elsewhere(f"[programs.x]\n{SLEEPER}\nnumprocs = 20\n")
        eventually(lambda: {p.state for p in running.processes().values()} == {"RUNNING"}, "all run")
        running.wait_for_uptime()
        before = {name: process.pid for name, process in running.processes().items()}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: all(
                p.state == "RUNNING" and p.pid != before[name] for name, p in running.processes().items()
            ),
            "all are back",
        )
        assert {p.exit_signal for p in running.processes().values()} == {"SIGKILL"}
        assert zombies_of(running.pid) == []
        assert running.terminate() == 0

    def test_a_family_is_ended(self, elsewhere: Start) -> None:
        code = (
            "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "if os.fork() == 0: print(os.getpid(), flush=True)\ntime.sleep(3600)\n"
        )
        running = elsewhere(
            f"[programs.x]\n{python(code)}\nkillasgroup = true\nstopwaitsecs = 0.5\nstartsecs = 0\n"
        )
        grandchild = int(eventually(lambda: running.ctl("tail", "x").stdout.strip(), "the grandchild"))
        running.ctl("stop", "x")
        assert not lives(grandchild)

    def test_exit_statuses_and_last_words(self, elsewhere: Start) -> None:
        running = elsewhere(
            f"[programs.x]\n{python('print(1); raise SystemExit(4)')}\nstartretries = 0\nstartsecs = 60\n"
        )
        assert running.wait_for("x", "FATAL").exitstatus == 4
        assert running.ctl("tail", "x").stdout == "1\n"

    def test_what_is_not_there_is_never_lowered(self, elsewhere: Start, variant: str) -> None:
        running = elsewhere(f"[programs.x]\n{SLEEPER}\nno_new_privs = true\n")
        if variant == "mac-like":
            found = running.wait_for("x", "FATAL")
            assert found.spawn_error == "cannot set no_new_privs: Operation not supported"
        else:
            running.wait_for("x", "RUNNING")

    def test_max_memory(self, elsewhere: Start) -> None:
        code = "import time; hog = bytearray(80 * 1024 * 1024); time.sleep(3600)"
        running = elsewhere(f'[programs.x]\n{python(code)}\nmax_memory = "60MB"\nstartsecs = 0\n')
        eventually(lambda: running.process("x").restarts >= 1, "a restart")
        assert "its tree uses" in running.says("max_memory is 62914560")
