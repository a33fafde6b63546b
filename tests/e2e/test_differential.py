"""The same listener and the same programs under supervisord and under Kahi: the same bytes arrive."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xmlrpc.client import ServerProxy

import pytest
from supervisor.xmlrpc import SupervisorTransport

from tests.support import ROOT, Daemon, eventually

pytestmark = pytest.mark.slow

Start = Callable[..., Daemon]
RECORDER = ROOT / "tests" / "e2e" / "recording_listener.py"
EVENTS = [
    "PROCESS_STATE",
    "PROCESS_GROUP",
    "PROCESS_LOG",
    "PROCESS_COMMUNICATION",
    "SUPERVISOR_STATE_CHANGE",
    "REMOTE_COMMUNICATION",
    "TICK_5",
]
RULES = ["fail", "processname:web groupname:web from_state:STARTING pid"]


def speaker(*what: tuple[int, str]) -> str:
    """A command that writes to its streams, half a second apart, once it is RUNNING; hexadecimal, so that no quoting differs."""
    pieces = ", ".join(f"({fd}, '{text.encode('utf-8', 'surrogateescape').hex()}')" for fd, text in what)
    code = (
        f"import os, time; time.sleep(2.5); [(os.write(fd, bytes.fromhex(text)), time.sleep(0.5)) for fd, text in ({pieces},)]; "
        "time.sleep(3600)"
    )
    return f'{sys.executable} -c "{code}"'


BEGIN, END = "<!--XSUPERVISOR:BEGIN-->", "<!--XSUPERVISOR:END-->"
NO_TEXT = "\udcff'"

PROGRAMS = {
    "talk": {
        "command": speaker((1, "first line\nsecond"), (2, "d\xe5ta\n"), (1, NO_TEXT)),
        "startsecs": 0,
        "stdout_events_enabled": True,
        "stderr_events_enabled": True,
    },
    "tell": {
        "command": speaker((1, f"{BEGIN}a: b\nc{END}"), (2, f"{BEGIN}{NO_TEXT}{END}")),
        "startsecs": 0,
        "stdout_capture_maxbytes": 1024,
        "stderr_capture_maxbytes": 1024,
    },
    "web": {"command": "sleep 3600", "startsecs": 1},
    "fine": {"command": "sh -c 'sleep 1.7'", "autorestart": False},
    "crash": {"command": "sh -c 'sleep 1.7; exit 7'", "autorestart": False},
    "killed": {"command": "sh -c 'sleep 1.7; kill -9 $$'", "autorestart": False},
    "quick": {"command": "false", "startretries": 1},
    "stopped": {"command": "sleep 3600", "startsecs": 0},
}


def recorder(directory: Path) -> list[str]:
    return [sys.executable, str(RECORDER), str(directory / "events"), *RULES]


class Recording:
    """What the listener got, without what can not be the same: serials, pids, the time."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "events"

    def all(self) -> list[str]:
        """Headers and payloads in the order in which they came, up to the end of the daemon."""
        if not self.file.exists():
            return []
        events = ["".join(json.loads(line)) for line in self.file.read_text().splitlines()]
        end = next((n for n, event in enumerate(events) if "CHANGE_STOPPING" in event), len(events))
        return events[: end + 1]

    def has(self, word: str) -> bool:
        return any(word in event for event in self.all())

    def by_subject(self) -> dict[str, list[str]]:
        """Comparable events, those of each process or group in their order."""
        found: dict[str, list[str]] = defaultdict(list)
        for event in self.all():
            text = re.sub(r"(serial|pid|when):\d+", r"\1:N", event)
            subject = re.search(
                r"processname:(\S+)|groupname:(\S+)|eventname:(\S+)", text.partition("\n")[2] + text
            )
            assert subject is not None
            found[subject[0]].append(re.sub(r" len:\d+\n(?=.*:N)", " len:N\n", text))
        return dict(found)

    def lengths_are_right(self) -> bool:
        """Whether each header tells the length of its payload in characters."""
        for event in self.all():
            head, _, payload = event.partition("\n")
            if int(head.rpartition(":")[2]) != len(payload):
                return False
        return True


@contextmanager
def supervisord(directory: Path) -> Iterator[ServerProxy]:
    """supervisord with the programs and the listener."""
    lines = [
        "[supervisord]\nnodaemon=true\nidentifier=same\n"
        f"logfile={directory}/log\npidfile={directory}/pid\nchildlogdir={directory}",
        f"[unix_http_server]\nfile={directory}/s.sock",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        f"[eventlistener:rec]\ncommand={' '.join(map(repr, recorder(directory)))}\nevents={','.join(EVENTS)}\n"
        "startsecs=0\nbuffer_size=1000",
    ]
    for name, keys in PROGRAMS.items():
        lines.append("\n".join([f"[program:{name}]", *(f"{key}={value}" for key, value in keys.items())]))
    config = directory / "supervisord.conf"
    config.write_text("\n\n".join(lines))
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=directory) as running:
        try:
            transport = SupervisorTransport(serverurl=f"unix://{directory}/s.sock")
            yield ServerProxy("http://127.0.0.1", transport)
            transport.close()
        finally:
            running.terminate()
            running.wait(30)


def kahi_config(directory: Path) -> str:
    """The same for Kahi."""
    tables = [
        '[supervisor]\nidentifier = "same"',
        f"[eventlisteners.rec]\ncommand = {json.dumps(recorder(directory))}\nevents = {json.dumps(EVENTS)}\n"
        "startsecs = 0\nbuffer_size = 1000",
    ]
    for name, keys in PROGRAMS.items():
        tables.append("\n".join([f"[programs.{name}]", *(f"{k} = {json.dumps(v)}" for k, v in keys.items())]))
    return "\n\n".join(tables)


def play(
    recording: Recording,
    stop: Callable[[], object],
    send: Callable[[str, str], object],
    add_and_remove: Callable[[], object],
) -> None:
    """What happens under both."""
    for word in (
        "processname:quick groupname:quick from_state:BACKOFF tries:1",
        "PROCESS_STATE_FATAL",
        "processname:web groupname:web from_state:STARTING pid",
        "processname:killed groupname:killed from_state:RUNNING",
        "processname:fine groupname:fine from_state:RUNNING",
        "processname:crash groupname:crash from_state:RUNNING",
        "PROCESS_COMMUNICATION_STDERR",
        "channel:stdout\nUndecodable",
        "TICK_5",
    ):
        eventually(lambda word=word: recording.has(word), word, patience=40)
    stop()
    send("deploy", "two\nlines \xe5\u2713")
    add_and_remove()
    eventually(lambda: recording.has("PROCESS_GROUP_REMOVED"), "the group is removed")
    eventually(lambda: recording.has("type:deploy"), "the message came")


def test_the_same_bytes_arrive(daemon: Start, short_tmp: Path) -> None:
    theirs = Recording(short_tmp / "theirs")
    theirs.file.parent.mkdir()
    with supervisord(theirs.file.parent) as server:
        rpc = server.supervisor
        play(
            theirs,
            lambda: rpc.stopProcess("stopped"),
            rpc.sendRemoteCommEvent,
            lambda: rpc.removeProcessGroup("stopped"),
        )
    running = daemon(kahi_config(short_tmp))
    ours = Recording(short_tmp)
    with running.client() as client:
        play(
            ours,
            lambda: client.stop("stopped"),
            client.send_event,
            lambda: client.remove_group("stopped"),
        )
    running.terminate()
    assert ours.has("SUPERVISOR_STATE_CHANGE_STOPPING")
    assert ours.lengths_are_right()
    assert theirs.lengths_are_right()
    expected, found = theirs.by_subject(), ours.by_subject()
    # By the specification: the last failed start leads to FATAL, without a BACKOFF in between.
    assert expected["processname:quick"].pop().endswith("groupname:quick from_state:BACKOFF")
    assert expected["processname:quick"].pop().endswith("groupname:quick from_state:STARTING tries:2")
    assert found["processname:quick"].pop().endswith("groupname:quick from_state:STARTING")
    # How many ticks there were is chance.
    for events in (expected, found):
        del events["eventname:TICK_5"][1:]
    assert found == expected
