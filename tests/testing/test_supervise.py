"""The supervisor that authors of plugins get in their tests."""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

from kahi.errors import ConfigError, KahiError, StartFailed
from kahi.hookspecs import Service, hookimpl
from kahi.plugins import PluginMissing
from kahi.system import System
from kahi.testing import supervise as supervised
from tests.support import eventually, lives, python

SLEEPER = '[programs.a]\ncommand = "sleep 60"\nstartsecs = 0\n'
FAILING = '[programs.bad]\ncommand = "/none"\nstartretries = 0\n'


def plugin(name: str, **attributes: Any) -> ModuleType:
    """A module that is a plugin."""
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


def test_a_supervisor_in_one_line(supervise: Any) -> None:
    running = supervise(SLEEPER)
    running.wait_for("a", "RUNNING")
    pid = running.pid("a")
    assert lives(pid)
    assert running.end() == 0
    assert not lives(pid)
    assert f"a: running, pid {pid}" in running.daemon_log
    assert not running.directory.exists()


def test_it_ends_with_the_block_also_when_the_test_fails() -> None:
    pids: list[int] = []

    def fail() -> None:
        with supervised(SLEEPER) as running:
            running.wait_for("a", "RUNNING")
            pids.append(running.pid("a"))
            raise RuntimeError("the test")

    with pytest.raises(RuntimeError, match="the test"):
        fail()
    assert not lives(pids[0])
    assert "kahi supervisor" not in [thread.name for thread in threading.enumerate()]


def test_processes_are_started_stopped_and_restarted(supervise: Any) -> None:
    running = supervise(SLEEPER + "autostart = false\n" + FAILING)
    assert running.state("a") == "STOPPED"
    running.start("a")
    first = running.pid("a")
    running.restart("a")
    assert running.pid("a") != first
    running.stop("a")
    assert running.state("a") == "STOPPED"
    with pytest.raises(StartFailed):
        running.start("bad")


def test_events_are_waited_for(supervise: Any) -> None:
    running = supervise(SLEEPER + FAILING)
    fatal = running.wait_for_event("process_state_fatal", "bad")
    assert fatal.spawn_error
    first = running.wait_for_event("process_state_running", "a")
    running.restart("a")
    assert running.wait_for_event("process_state_running", "a", after=first).serial > first.serial
    assert first in running.events


def test_what_does_not_happen_says_what_was_there(supervise: Any) -> None:
    running = supervise(SLEEPER)
    running.wait_for("a", "RUNNING")
    with pytest.raises(AssertionError, match="a is FATAL: it is RUNNING"):
        running.wait_for("a", "fatal", timeout=0.05)
    with pytest.raises(AssertionError, match=r"tick : there were .*PROCESS_STATE_RUNNING"):
        running.wait_for_event("tick", timeout=0.05)
    with pytest.raises(AssertionError, match="prints 'hello': it printed ''"):
        running.wait_for_log("a", "hello", timeout=0.05)


@pytest.mark.parametrize("logfile", ["", 'stdout_logfile = "AUTO"\n'])
def test_logs_are_read(supervise: Any, logfile: str) -> None:
    running = supervise(f"[programs.a]\n{python('print(1); print(2)')}\nstartsecs = 0\n{logfile}")
    assert running.wait_for_log("a", "2") == "1\n2\n"


def test_another_configuration_is_taken_over(supervise: Any) -> None:
    seen: list[list[str]] = []
    reload = hookimpl(lambda old, new: seen.extend((sorted(old.groups), sorted(new.groups))))
    running = supervise(SLEEPER, plugins=[plugin("kahi_sample", kahi_reload=reload)])
    running.reload(SLEEPER + SLEEPER.replace("programs.a", "programs.b"))
    running.wait_for("b", "RUNNING")
    assert seen == [["a"], ["a", "b"]]
    with pytest.raises(ConfigError, match="command: is missing"):
        running.reload(SLEEPER.replace("command", "comand"))


def test_plugins_are_told_of_an_event_before_the_test_is() -> None:
    told: list[str] = []
    sample = plugin(
        "x", kahi_event=hookimpl(events="process_state_fatal")(lambda event: told.append(event.name))
    )
    with supervised(FAILING, {"named": sample}) as running:
        running.wait_for_event("process_state_fatal")
        assert told == ["bad"]
        assert [info.name for info in running.context.plugins.list()] == ["kahi-testing", "named"]


def test_a_test_can_use_what_a_service_serves(short_tmp: Any) -> None:
    @asynccontextmanager
    async def serving() -> Any:
        import asyncio

        server = await asyncio.start_unix_server(answer, str(short_tmp / "s"))
        yield
        server.close()

    async def answer(_: Any, writer: Any) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    services = hookimpl(lambda: [Service("server", serving)])
    with supervised(SLEEPER, [plugin("x", kahi_services=services)]), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(short_tmp / "s"))
        assert client.recv(5) == b"hello"


def raise_error(*_: object) -> None:
    """What a broken hook does."""
    raise ValueError("broken")


def test_a_plugin_that_raises_fails_the_test_unless_that_is_tolerated() -> None:
    broken = plugin("x", kahi_event=hookimpl(lambda event: raise_error()))
    with (
        pytest.raises(AssertionError, match=r"plugins raised: x \(\d+ times\)(.|\n)*ValueError"),
        supervised(SLEEPER, [broken]),
    ):
        pass
    with supervised(SLEEPER, [broken], tolerant=True) as running:
        pass
    assert "ValueError: broken" in running.daemon_log


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"kahi_setup": hookimpl(lambda ctx: raise_error())}, "kahi_setup failed: broken"),
        ({"kahi_setpu": hookimpl(lambda ctx: None)}, "there is no hook kahi_setpu"),
    ],
)
def test_a_plugin_that_fails_is_told_at_once(broken: Any, problem: str) -> None:
    with pytest.raises(PluginMissing, match=problem):
        supervised(SLEEPER, [plugin("x", **broken)])
    assert "kahi supervisor" not in [thread.name for thread in threading.enumerate()]


def test_a_wrong_configuration_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="command: is missing"):
        supervised('[programs.a]\ncomand = "x"')
    with pytest.raises(ConfigError, match=r"kahi\.toml:1"):
        supervised("[programs.a\n")


def test_a_daemon_that_can_not_start_leaves_nothing_behind(tmp_path: Any) -> None:
    before = list(logging.getLogger().handlers)
    with pytest.raises(KahiError, match="cannot open log file"):
        supervised(f'[supervisor]\nlogfile = "{tmp_path}"\n{SLEEPER}')
    assert logging.getLogger().handlers == before


def test_what_does_not_stop_is_killed_soon() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(600)"
    with supervised(f"[programs.a]\n{python(code)}\nstopwaitsecs = 600\n") as running:
        running.wait_for_log("a", "1")
        pid = running.pid("a")
    assert not lives(pid)


def test_where_no_pidfd_tells_of_ends(supervise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(System, "open_pidfd", lambda self, pid: None)
    running = supervise(SLEEPER + "autorestart = false\n")
    running.wait_for("a", "RUNNING")
    os.kill(running.pid("a"), 9)
    running.wait_for("a", "EXITED")
    running.start("a")
    assert lives(running.pid("a"))


def test_the_own_settings_of_the_daemon_have_no_effect(supervise: Any, tmp_path: Any) -> None:
    log = tmp_path / "log"
    before = os.getcwd()
    running = supervise(
        f'[supervisor]  # all\nsubreaper = true\ndirectory = "/"\nlogfile = "{log}"\n{SLEEPER}'
    )
    assert os.getcwd() == before
    eventually(lambda: "is up" in log.read_text(), "the log is where it should be")
    assert running.context.config.supervisor.childlogdir == str(running.directory)


def test_a_plugin_that_holds_the_loop_is_an_error_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kahi.testing.thread.IN_ORDER", 0.1)
    release = threading.Event()
    running = supervised(SLEEPER)
    running.wait_for("a", "RUNNING")
    pid = running.pid("a")
    monkeypatch.setattr(running._thread, "_patience", 0.5)
    running.context.supervisor._host.loop.call_soon_threadsafe(release.wait)
    with pytest.raises(AssertionError, match=r"did not end in 0\.5 s"):
        running.end()
    release.set()
    eventually(lambda: not lives(pid), "it is killed")
    eventually(lambda: "kahi supervisor" not in [t.name for t in threading.enumerate()], "the thread ended")
