"""What programs print as events, captured parts, and sinks of plugins, through the real program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Daemon, eventually, install_plugin, python

Start = Callable[..., Daemon]

RECORDER = """
import json
from kahi.hookspecs import hookimpl

@hookimpl
def kahi_event(event):
    if event.type.startswith(("PROCESS_LOG", "PROCESS_COMMUNICATION", "PROCESS_STATE_EXITED", "PROCESS_OUTPUT")):
        with open("events", "a") as file:
            json.dump({"type": event.type, **event.payload()}, file)
            file.write("\\n")
"""


def recorded(directory: Path) -> list[dict[str, Any]]:
    """The events that the plugin saw."""
    path = directory / "events"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def joined(events: list[dict[str, Any]], kind: str) -> str:
    """The data of all events of one type."""
    return "".join(event["data"] for event in events if event["type"] == kind)


def test_what_is_printed_is_published_before_the_exit_is(daemon: Start, short_tmp: Path) -> None:
    code = "import sys\nfor n in range(500): print(n)\nprint('oops', file=sys.stderr)\nprint('last', end='')"
    running = daemon(
        f"[programs.x]\n{python(code)}\noneshot = true\nstdout_events_enabled = true\nstderr_events_enabled = true\n"
        f"[programs.silent]\n{python(code)}\noneshot = true\n",
        environ=install_plugin(short_tmp, "recorder", RECORDER),
    )
    pids = {running.wait_for(name, "EXITED").name for name in ("x", "silent")}
    assert pids == {"x", "silent"}
    events = [event for event in recorded(short_tmp) if event["name"] == "x"]
    assert joined(events, "PROCESS_LOG_STDOUT") == "".join(f"{n}\n" for n in range(500)) + "last"
    assert joined(events, "PROCESS_LOG_STDERR") == "oops\n"
    assert events[-1]["type"] == "PROCESS_STATE_EXITED"
    assert {event["group"] for event in events} == {"x"}
    assert len({event["pid"] for event in events}) == 1
    silent = [event["type"] for event in recorded(short_tmp) if event["name"] == "silent"]
    assert silent == ["PROCESS_STATE_EXITED"]


CAPTURED = """
import os, time
def write(text):
    os.write(1, text.encode())
    time.sleep(0.05)
write("before <!--XSUPER")
write("VISOR:BEGIN-->first part, ")
write("split<!--XSUPERVISOR:E")
write("ND--> between <!--XSUPERVISOR:BEGIN-->second<!--XSUPERVISOR:END--><!--XSUPERVISOR:BEGIN-->")
write("0123456789" * 5)
write("<!--XSUPERVISOR:END--> after, ending in <!--XSUP")
"""


def test_what_stands_between_the_marks_is_an_event_and_not_logged(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    running = daemon(
        f"[programs.x]\n{python(CAPTURED)}\noneshot = true\nstdout_capture_maxbytes = 30\nstdout_logfile = '{log}'\n"
        f"[programs.plain]\n{python(CAPTURED)}\noneshot = true\nstderr_capture_maxbytes = 30\n",
        environ=install_plugin(short_tmp, "recorder", RECORDER),
    )
    running.wait_for("x", "EXITED")
    running.wait_for("plain", "EXITED")
    assert log.read_text() == "before  between  after, ending in <!--XSUP"
    parts = [
        event["data"] for event in recorded(short_tmp) if event["type"] == "PROCESS_COMMUNICATION_STDOUT"
    ]
    assert parts == ["first part, split", "second", "0123456789" * 3]
    running.says("20 bytes between communication marks did not fit into stdout_capture_maxbytes")
    assert running.ctl("tail", "plain").stdout.count("XSUPERVISOR") == 6


def test_a_captured_part_without_an_end_is_published_at_the_exit(daemon: Start, short_tmp: Path) -> None:
    code = "print('<!--XSUPERVISOR:BEGIN-->never ended', end='')"
    running = daemon(
        f"[programs.x]\n{python(code)}\noneshot = true\nstdout_capture_maxbytes = '1MB'\n",
        environ=install_plugin(short_tmp, "recorder", RECORDER),
    )
    running.wait_for("x", "EXITED")
    (event,) = (event for event in recorded(short_tmp) if event["type"] == "PROCESS_COMMUNICATION_STDOUT")
    assert event["data"] == "never ended"


def test_a_flood_of_events_is_cut_and_the_child_is_not_held_up(daemon: Start, short_tmp: Path) -> None:
    slow = RECORDER.replace(
        "def kahi_event(event):", "def kahi_event(event):\n    import time; time.sleep(0.02)"
    )
    code = "import os\nfor _ in range(300): os.write(1, b'x' * 65536)"
    running = daemon(
        f"[programs.x]\n{python(code)}\noneshot = true\nstdout_logfile = '/dev/null'\nstdout_events_enabled = true\n",
        environ=install_plugin(short_tmp, "recorder", slow),
    )
    running.wait_for("x", "EXITED")
    published = len(joined(recorded(short_tmp), "PROCESS_LOG_STDOUT"))
    assert 0 < published < 300 * 65536
    running.says("its stdout comes too fast to be published")


SINKS = """
from kahi.hookspecs import hookimpl

class Sink:
    def __init__(self, name):
        self.file = open(name, "ab", buffering=0)
    def write(self, data):
        assert isinstance(data, bytes)
        if b"explode" in data:
            raise RuntimeError("exploded")
        self.file.write(data)
    def close(self):
        self.file.write(b"[closed]")
        self.file.close()

@hookimpl
def kahi_log_sinks(definition, stream):
    with open("asked", "a") as file:
        file.write(f"{definition.name} {stream}\\n")
    if definition.name == "wrong":
        return "no sink"
    if definition.name != "quiet":
        return Sink(f"sink-{definition.name}-{stream}")
"""


def test_sinks_of_plugins_get_the_bytes(daemon: Start, short_tmp: Path) -> None:
    code = "import os, time; os.write(1, b'out \\xff '); os.write(2, b'err'); time.sleep(3600)"
    running = daemon(
        f"[programs.x]\n{python(code)}\nstartsecs = 0\nstdout_logfile = '{short_tmp}/log'\n"
        f"[programs.quiet]\n{python(code)}\nstartsecs = 0\n"
        f"[programs.wrong]\n{python(code)}\nstartsecs = 0\n",
        environ=install_plugin(short_tmp, "sinks", SINKS),
    )
    sink = short_tmp / "sink-x-stdout"
    eventually(lambda: sink.exists() and sink.read_bytes() == b"out \xff ", "the sink has it")
    running.ctl("restart", "x")
    eventually(lambda: sink.read_bytes() == b"out \xff out \xff ", "the sink has what the next run printed")
    assert sink.read_bytes() == (short_tmp / "log").read_bytes()
    asked = (short_tmp / "asked").read_text().split("\n")
    assert sorted(filter(None, asked)) == [
        f"{name} {stream}" for name in ("quiet", "wrong", "x") for stream in ("stderr", "stdout")
    ]
    assert not (short_tmp / "sink-quiet-stdout").exists()
    eventually(lambda: "in place of a LogSink" in running.output, "the wrong sink is named")
    assert running.process("wrong").state == "RUNNING"
    running.terminate()
    assert sink.read_bytes() == b"out \xff out \xff [closed]"
    assert (short_tmp / "sink-x-stderr").read_bytes() == b"errerr[closed]"


@pytest.mark.fault("W4")
def test_a_sink_that_raises_is_named_and_gets_no_more(daemon: Start, short_tmp: Path) -> None:
    code = "import os, time\nfor word in (b'fine ', b'explode ', b'after '):\n    os.write(1, word); time.sleep(0.2)"
    running = daemon(
        f"[programs.x]\n{python(code)}\noneshot = true\nstdout_logfile = '{short_tmp}/log'\n",
        environ=install_plugin(short_tmp, "sinks", SINKS),
    )
    running.wait_for("x", "EXITED")
    assert (short_tmp / "log").read_bytes() == b"fine explode after "
    assert (short_tmp / "sink-x-stdout").read_bytes() == b"fine "
    eventually(lambda: "plugin sinks: sink of x stdout raised" in running.output, "the plugin is named")
    running.says("RuntimeError: exploded")


HANGING = SINKS.replace('if b"explode" in data:', "import time; time.sleep(4)\n        if False:")


@pytest.mark.fault("W4")
def test_a_sink_that_hangs_holds_up_nobody_else(daemon: Start, short_tmp: Path) -> None:
    running = daemon(
        f"[programs.x]\n{python('print(1)')}\noneshot = true\n"
        f"[programs.quiet]\n{python('import time; time.sleep(1); print(2)')}\noneshot = true\n",
        environ=install_plugin(short_tmp, "sinks", HANGING),
    )
    running.wait_for("quiet", "EXITED")
    assert running.ctl("tail", "quiet").stdout == "2\n"
    assert (short_tmp / "sink-x-stdout").read_bytes() == b""
    eventually(lambda: "x: output waits, its destination does not answer" in running.output, "it is told")
    eventually(lambda: (short_tmp / "sink-x-stdout").read_bytes() == b"1\n", "the sink goes on")
    eventually(lambda: "x: output goes on after" in running.output, "it is told")
