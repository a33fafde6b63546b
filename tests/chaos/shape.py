"""What a chaos run has its daemon supervise: a configuration that changes, as a value."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

WRITER = Path(__file__).with_name("writer.py")
LISTENER = ROOT / "tests" / "e2e" / "recording_listener.py"

MOST_STEADY = 5
"""Instances of the program whose number changes."""

ALWAYS = ("cramped_0", "cramped_1", "shown", "stubborn", "left", "right", "once", "brief")
"""Processes that every shape has, apart from those whose number changes."""

ON_SMALL_DISK = ("cramped_0", "cramped_1")
GROUPS = ("pair", "cramped", "steady")
LISTENERS = ("hearing", "dying", "babbling", "hanging")


@dataclass(frozen=True, slots=True)
class Shape:
    """A configuration.

    Args:
        steady: instances of one program.
        version: in the environment of some programs, which are restarted when it changes.
        priority: of some programs, which goes on with its pid when it changes.
        extra: whether there is a program more.
        apart: whether the members of a group are groups of their own.
    """

    steady: int = 3
    version: int = 0
    priority: int = 100
    extra: bool = False
    apart: bool = False

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of all processes, event listeners apart."""
        steady = tuple(f"steady_{number}" for number in range(self.steady))
        return (*ALWAYS, *steady, *(("extra",) if self.extra else ()))

    @property
    def running(self) -> tuple[str, ...]:
        """Those that run for good once they are started."""
        return tuple(name for name in self.processes if name not in ("once", "brief"))


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run keeps what."""

    directory: Path
    small_disk: Path
    port: int

    @property
    def records(self) -> Path:
        """What programs note of what they write, a directory for each process."""
        return self.directory / "records"

    @property
    def logs(self) -> Path:
        """Log files on a disk that has room."""
        return self.directory / "logs"

    def log_of(self, name: str) -> Path:
        """The log file of a process that has one."""
        return (self.small_disk if name in ON_SMALL_DISK else self.logs) / f"{name}.log"


BROKEN = (
    "[programs.x",
    "[programs.x]\ncommand = ",
    "[programs.x]\ncommand = 'true'\nstartsecs = 'soon'\n",
    "[programs.x]\n",
    "[groups.g]\nprograms = ['nobody']\n",
    "[programs.a]\ncommand = 'true'\ndepends_on = { a = 'running' }\n",
    "include = ['kahi.toml']\n",
    "\0",
    "",
)
"""Configurations that are refused; the last stands for a file that is not there."""


def configuration(shape: Shape, places: Places) -> str:
    """The text of the configuration."""
    steady = f"numprocs = {shape.steady}\npriority = {shape.priority}\n" + _environment(shape)
    rotated = "stdout_logfile_maxbytes = '256KB'\nstdout_logfile_backups = 10000\n"
    return "".join(
        [
            "[supervisor]\nshutdown_timeout = 20\n",
            f'[server.unix]\nfile = "{places.directory}/k.sock"\n',
            f'[server.http]\nenabled = true\nlisten = "127.0.0.1:{places.port}"\nusername = "ann"\n',
            f"password = '{CHEAP_HASH.replace('$', '$$')}'\n",
            '[webhooks.nobody]\nurl = "http://127.0.0.1:1025/"\nallow_insecure = true\nretries = 1\n',
            _program("steady", places, "0.05", extra=rotated + steady),
            _program("cramped", places, "0.02", extra="numprocs = 2\nstdout_logfile_maxbytes = 0\n"),
            _program("shown", places, "0.1", log=False, extra=_environment(shape)),
            _program("stubborn", places, "0.1", "stubborn", "family", extra="killasgroup = true\n"),
            _program("left", places, "0.1", extra="depends_on = { right = 'running' }\n"),
            _program("right", places, "0.1", extra="health = { exec = ['true'], interval = 1 }\n"),
            _program("once", places, "0.01", "limit=100", extra="oneshot = true\n"),
            _program("brief", places, "0.01", "limit=150", extra="startretries = -1\n"),
            _program("extra", places, "0.05") if shape.extra else "",
            "" if shape.apart else '[groups.pair]\nprograms = ["left", "right"]\n',
            _listener("hearing", places, ["PROCESS", "CONFIG", "SUPERVISOR_STATE"]),
            _listener("dying", places, ["PROCESS_STATE"], "die", "EXITED"),
            _listener("babbling", places, ["PROCESS_STATE_STARTING"], "babble", "brief"),
            _listener("hanging", places, ["PROCESS_STATE_STOPPED"], "hang", "steady"),
        ]
    )


CHEAP_HASH = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
"""Of ``correct horse``, at a cost that tests can pay."""


def _environment(shape: Shape) -> str:
    return f"environment = {{ VERSION = '{shape.version}' }}\n"


def _program(name: str, places: Places, *words: str, log: bool = True, extra: str = "") -> str:
    command = [sys.executable, "-I", "-S", str(WRITER), str(places.records), *words]
    directory = places.small_disk if name == "cramped" else places.logs
    several = name in ("steady", "cramped")
    process = f"{name}_%(process_num)d" if several else name
    logfile = f"stdout_logfile = '{directory}/{process}.log'\n"
    return (
        f"[programs.{name}]\ncommand = {json.dumps(command)}\nstartsecs = 0.2\nstopwaitsecs = 1\n"
        f"process_name = '{process}'\nautorestart = true\nbackoff = {{ max = 2 }}\n{logfile if log else ''}{extra}"
    )


def _listener(name: str, places: Places, events: list[str], *rules: str) -> str:
    command = [sys.executable, str(LISTENER), f"{places.directory}/{name}.events", *rules]
    return (
        f"[eventlisteners.{name}]\ncommand = {json.dumps(command)}\nevents = {json.dumps(events)}\n"
        "startretries = -1\nstopwaitsecs = 1\nbackoff = { max = 2 }\n"
        f"stderr_logfile = '/dev/null'\nbuffer_size = 100\n"
    )
