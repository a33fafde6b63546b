"""Plugins that misbehave, through the real program: everybody else goes on."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Daemon, eventually, install_plugin

Start = Callable[..., Daemon]

HEAD = """
import asyncio, anyio, sys, time
from contextlib import asynccontextmanager
from kahi.hookspecs import *
"""
SLEEPER = '[supervisor]\nlog_format = "text"\n[programs.web]\ncommand = "sleep 3600"\nstartsecs = 0\n'

WITNESS = """
seen = []
@hookimpl
def kahi_event(event):
    seen.append(event.type)
    print("witness", event.type, flush=True)
@asynccontextmanager
async def run():
    print("witness up", flush=True)
    yield
    print("witness down", flush=True)
@hookimpl
def kahi_services(ctx):
    return [Service("witness", run)]
"""


@pytest.fixture
def with_plugins(daemon: Start, short_tmp: Path) -> Callable[..., Daemon]:
    """Starts a daemon with plugins, given as code by name, and one that behaves."""

    def start(toml: str = SLEEPER, **plugins: str) -> Daemon:
        environ: dict[str, str] = {}
        for name, code in {**plugins, "witness": WITNESS}.items():
            environ |= install_plugin(short_tmp, name, HEAD + code)
        return daemon(toml, environ=environ)

    return start


def plugins_of(running: Daemon) -> dict[str, dict[str, Any]]:
    """The plugins of a running daemon by name."""
    return {info["name"]: info for info in running.get("/api/v1/version")["plugins"]}


def nobody_else_suffers(running: Daemon) -> None:
    """Supervision, API and other plugins work; and the daemon ends in time."""
    before = running.wait_for("web", "RUNNING")
    with running.client() as client:
        client.restart("web")
    assert running.wait_for("web", "RUNNING").pid != before.pid
    eventually(lambda: "witness up" in running.output, "the other plugin's service is up")
    running.signal(signal.SIGHUP)
    eventually(lambda: "witness CONFIG_RELOADED" in running.output, "the other plugin hears of a reload")
    others = plugins_of(running)
    assert others["api"]["status"] == others["witness"]["status"] == "active"
    assert others["api"]["errors"] == others["witness"]["errors"] == 0
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 10
    assert "witness down" in running.output


@pytest.mark.fault("W4")
def test_one_that_can_not_be_imported(with_plugins: Callable[..., Daemon]) -> None:
    running = with_plugins(bad="1/0")
    bad = plugins_of(running)["bad"]
    assert bad["status"] == "failed"
    assert bad["reason"] == "import failed: ZeroDivisionError('division by zero')"
    assert running.says("bad_module.py").count("plugin bad: import failed") == 1
    nobody_else_suffers(running)


RAISES = {
    "kahi_addhooks": "failed",
    "kahi_config_sections": "failed",
    "kahi_validate_config": "active",
    "kahi_setup": "failed",
    "kahi_services": "failed",
    "kahi_event": "active",
    "kahi_reload": "active",
}


@pytest.mark.fault("W4")
@pytest.mark.parametrize("error", ["ValueError('as told')", "SystemExit(7)"])
def test_those_that_raise_in_a_hook(with_plugins: Callable[..., Daemon], error: str) -> None:
    code = "@hookimpl\n{kind} {hook}():\n    raise {error}\n"
    raising = {
        f"in_{hook}": code.format(hook=hook, error=error, kind="async def" if "spawn" in hook else "def")
        for hook in RAISES
    }
    running = with_plugins(**raising)
    running.signal(signal.SIGHUP)
    for hook in RAISES:
        told = f"plugin in_{hook}: {'subscriber' if hook == 'kahi_event' else hook}"
        eventually(lambda told=told: told in running.output, told)
    found = plugins_of(running)
    for hook, status in RAISES.items():
        assert found[f"in_{hook}"]["status"] == status, hook
        assert found[f"in_{hook}"]["errors"] > 0, hook
    running.says(error.partition("(")[0])
    nobody_else_suffers(running)


def named(running: Daemon, who: str) -> bool:
    """Whether the log says that somebody held the event loop, alone or with others."""
    return any(who in line for line in running.output.splitlines() if "held the event loop for" in line)


@pytest.mark.fault("P2", "W4")
def test_one_that_holds_the_loop_is_named(with_plugins: Callable[..., Daemon]) -> None:
    running = with_plugins(
        sleeper="""
@hookimpl
def kahi_setup(ctx):
    time.sleep(0.2)
@hookimpl(events=["process_state_running"])
def kahi_event(event):
    time.sleep(0.2)
""",
        burner="""
async def burn():
    await anyio.sleep(0.2)
    begin = time.monotonic()
    while time.monotonic() - begin < 0.2:
        pass
def callback():
    time.sleep(1.3)
@asynccontextmanager
async def run():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(burn)
        asyncio.get_running_loop().call_later(0.8, callback)
        yield
@hookimpl
def kahi_services(ctx):
    return [Service("burner", run)]
""",
    )
    for name in (
        "plugin sleeper: kahi_setup",
        "plugin sleeper: subscriber of PROCESS_STATE_RUNNING",
        "plugin burner: burn",
        "plugin burner: callback",
    ):
        eventually(lambda name=name: named(running, name), name)
    assert re.search(r"plugin burner: callback has held the event loop for 1\.\d s, at ", running.output)
    found = plugins_of(running)
    assert found["sleeper"]["stalls"] >= 2
    assert found["burner"]["stalls"] >= 2
    nobody_else_suffers(running)


@pytest.mark.fault("P2")
def test_exits_that_come_while_the_loop_is_held_are_right(with_plugins: Callable[..., Daemon]) -> None:
    running = with_plugins(
        SLEEPER
        + "[programs.fails]\ncommand = ['sh', '-c', 'sleep 0.5; exit 7']\nstartsecs = 0\nautorestart = false\n"
        "[programs.killed]\ncommand = ['sh', '-c', 'sleep 0.5; kill -9 $$$$']\nstartsecs = 0\nautorestart = false\n",
        holder="""
@hookimpl(events=["process_state_running"])
def kahi_event(event):
    if event.name == "web":
        time.sleep(2)
""",
    )
    fails, killed = running.wait_for("fails", "EXITED"), running.wait_for("killed", "EXITED")
    assert (fails.exitstatus, fails.exit_signal) == (7, None)
    assert (killed.exitstatus, killed.exit_signal) == (137, "SIGKILL")
    told = "plugin holder: subscriber of PROCESS_STATE_RUNNING has held the event loop for 1."
    stack = running.says(told).partition(told)[2]
    assert 'holder_module.py", line 9, in kahi_event\n    time.sleep(2)\n' in stack


@pytest.mark.fault("W4")
def test_a_service_that_dies_comes_back(with_plugins: Callable[..., Daemon]) -> None:
    running = with_plugins(
        dying="""
async def die():
    await anyio.sleep(0.05)
    raise ValueError("as told")
@asynccontextmanager
async def run():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(die)
        yield
@hookimpl
def kahi_services(ctx):
    return [Service("dier", run)]
""",
        quitting="""
async def leave():
    sys.exit(3)
@asynccontextmanager
async def run():
    task = asyncio.create_task(leave())
    yield
@hookimpl
def kahi_services(ctx):
    return [Service("quitter", run)]
""",
    )
    eventually(lambda: "plugin dying: service dier ended, again in 2 s" in running.output)
    dying = plugins_of(running)["dying"]
    assert dying["errors"] >= 2
    assert dying["services"][0]["name"] == "dier"
    assert dying["services"][0]["restarts"] >= 2
    assert running.says("plugin dying: service dier raised").count("plugin dying: service dier raised") == 1
    running.says("plugin quitting: a task that tried to end the daemon raised")
    nobody_else_suffers(running)


@pytest.mark.fault("W4")
def test_a_service_that_swallows_its_cancellation_is_left_behind(
    with_plugins: Callable[..., Daemon],
) -> None:
    running = with_plugins(
        stubborn="""
async def swallow():
    while True:
        try:
            await anyio.sleep(1)
        except BaseException:
            pass
@asynccontextmanager
async def run():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(swallow)
        yield
        tasks.cancel_scope.cancel()
@hookimpl
def kahi_services(ctx):
    return [Service("swallower", run, stop_seconds=0.5)]
""",
        threaded="""
import threading
@hookimpl
def kahi_setup(ctx):
    threading.Thread(target=time.sleep, args=(3600,)).start()
""",
    )
    eventually(lambda: plugins_of(running)["stubborn"]["services"][0]["state"] == "up")
    nobody_else_suffers(running)
    assert "plugin stubborn: service swallower did not stop in 0.5 s" in running.output
    assert "plugin stubborn: service swallower swallows its cancellation, left behind" in running.output


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1/0", "required plugin 'bad' is failed: import failed: ZeroDivisionError"),
        (
            "@hookimpl\ndef kahi_setup(ctx): raise ValueError('as told')",
            "is failed: kahi_setup failed: as told",
        ),
        ("@hookimpl\ndef kahi_services(ctx): 1/0", "is failed: kahi_services failed: division by zero"),
    ],
)
def test_a_required_plugin_that_fails_ends_the_daemon_before_anything_is_spawned(
    daemon: Start, short_tmp: Path, code: str, message: str
) -> None:
    mark = short_tmp / "spawned"
    running = daemon(
        f'[supervisor]\nrequired_plugins = ["bad"]\n[programs.web]\ncommand = "touch {mark}"\n',
        environ=install_plugin(short_tmp, "bad", HEAD + code),
        wait=False,
    )
    assert running.wait() == 1
    assert "kahi: required plugin 'bad' is failed: " in running.output
    assert message in running.output
    assert "Traceback" in running.output
    assert not mark.exists()


def test_a_required_plugin_that_is_missing_or_disabled(daemon: Start) -> None:
    running = daemon('[supervisor]\nrequired_plugins = ["nobody"]\n', wait=False)
    assert running.wait() == 1
    assert running.output == "kahi: required plugin 'nobody' is not installed\n"
    running = daemon('[supervisor]\nrequired_plugins = ["api"]\ndisabled_plugins = ["api"]\n', wait=False)
    assert running.wait() == 1
    assert "kahi: required plugin 'api' is disabled: by disabled_plugins\n" in running.output


# Before a process is spawned

PREPARE = """
@hookimpl
async def kahi_prepare_spawn(request):
    what = request.settings.get("prepare")
    if what is None:
        return
    match what.what:
        case "change":
            request.argv[-1] += f" {request.name} {request.program} {request.group}; ulimit -n"
            request.environment["TOKEN"] = "secret"
            request.rlimits["nofile"] = (77, 77)
        case "veto":
            request.veto("not on a Monday")
        case "retry":
            request.veto("not yet", retry=True)
        case "fail":
            raise ValueError("as told")
        case "exit":
            sys.exit(3)
        case "hang":
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    pass
        case "impossible":
            request.argv.clear()

from pydantic import BaseModel
class Settings(BaseModel):
    what: str

@hookimpl
def kahi_config_sections():
    return [ConfigSection("prepare", Settings, in_program=True)]
"""

LATER = """
@hookimpl
async def kahi_prepare_spawn(request):
    if "prepare" in request.settings and request.settings["prepare"].what == "change":
        request.environment["SEEN"] = request.environment.get("TOKEN", "nothing")
"""


def test_a_plugin_changes_what_is_executed(with_plugins: Callable[..., Daemon]) -> None:
    running = with_plugins(
        SLEEPER
        + "[programs.a]\ncommand = ['sh', '-c', 'echo $TOKEN $SEEN']\noneshot = true\nprepare = {what = 'change'}\n",
        prepare=PREPARE,
        later="kahi_requires = ['prepare']\n" + LATER,
        earlier=LATER.replace("SEEN", "EARLIER"),
    )
    running.wait_for("a", "EXITED")
    assert running.ctl("tail", "a").stdout == "secret secret a a a\n77\n"
    nobody_else_suffers(running)


FAILS_CLOSED = {
    "veto": ("FATAL", "plugin prepare refuses: not on a Monday"),
    "retry": ("BACKOFF", "plugin prepare refuses: not yet"),
    "fail": ("BACKOFF", "plugin prepare failed: ValueError('as told')"),
    "exit": ("BACKOFF", "plugin prepare failed: SystemExit(3)"),
    "impossible": ("BACKOFF", "plugin prepare failed: ValueError('argv is empty')"),
    "hang": ("BACKOFF", "plugin prepare failed: TimeoutError('no answer within 5 s')"),
}


@pytest.mark.fault("W4")
def test_a_plugin_that_can_not_prepare_fails_closed(
    with_plugins: Callable[..., Daemon], short_tmp: Path
) -> None:
    mark = short_tmp / "spawned"
    programs = "".join(
        f"[programs.{what}]\ncommand = 'touch {mark}'\nprepare = {{what = '{what}'}}\nbackoff = {{initial = 3600}}\n"
        for what in FAILS_CLOSED
    )
    running = with_plugins(SLEEPER + programs, prepare=PREPARE)
    for what, (state, error) in FAILS_CLOSED.items():
        assert running.wait_for(what, state).spawn_error == f"cannot start: {error}"
    assert not mark.exists()
    assert plugins_of(running)["prepare"]["errors"] == 4, "a veto is no error"
    running.says("plugin prepare: kahi_prepare_spawn raised")
    nobody_else_suffers(running)


def test_a_stop_does_not_wait_for_a_plugin_that_prepares(with_plugins: Callable[..., Daemon]) -> None:
    running = with_plugins(
        SLEEPER + "[programs.a]\ncommand = 'sleep 3600'\nprepare = {what = 'hang'}\n", prepare=PREPARE
    )
    running.wait_for("a", "STARTING")
    with running.client() as client:
        client.stop("a")
    assert running.process("a").state == "STOPPED"
    nobody_else_suffers(running)


# kahi plugins


def test_kahi_plugins_lists_what_there_is(short_tmp: Path, kahi: Callable[..., Any]) -> None:
    environ = install_plugin(short_tmp, "bad", "1/0") | install_plugin(short_tmp, "witness", HEAD + WITNESS)
    config = short_tmp / "kahi.toml"
    config.write_text('[supervisor]\ndisabled_plugins = ["api"]\n')
    entry_points = short_tmp / "witness-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text(
        entry_points.read_text() + "[kahi.commands]\nwitness = witness_module:no\ncheck = witness_module:no\n"
    )
    done = kahi("plugins", "-c", str(config), environ=environ)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "bad 1.0 (bad): failed: import failed: ZeroDivisionError('division by zero')" in done.stdout
    assert "(kahi-api): disabled: by disabled_plugins" in done.stdout
    assert "    hooks: kahi_event, kahi_services\n" in done.stdout
    listed = json.loads(kahi("plugins", "-c", str(config), "--json", environ=environ).stdout)
    witness = {info["name"]: info for info in listed}["witness"]
    assert witness["commands"] == ["witness"]
    assert witness["reason"] == "its command 'check' is one of core, and is not used"
    assert witness["load_seconds"] > 0
    checked = kahi("check", "-c", str(config), environ=environ)
    assert checked.returncode == 1
    assert "plugin bad failed: import failed: ZeroDivisionError" in checked.stderr


def test_commands_of_plugins_that_can_not_be_loaded(short_tmp: Path, kahi: Callable[..., Any]) -> None:
    environ = install_plugin(short_tmp, "bad", "1/0")
    entry_points = short_tmp / "bad-1.0.dist-info" / "entry_points.txt"
    entry_points.write_bytes(b"# no \xff UTF-8\n[kahi.commands]\nwrong = bad_module:run\n")
    done = kahi("wrong", "--any", environ=environ)
    assert done.returncode == 1
    assert done.stderr == "kahi: wrong cannot be loaded: ZeroDivisionError('division by zero')\n"
    helped = kahi("--help", environ=environ)
    assert helped.returncode == 0
    assert "wrong" in helped.stdout
